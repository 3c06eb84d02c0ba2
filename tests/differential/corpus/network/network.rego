# May this flow pass? The first matching rule decides.
package network

default verdict := "drop"

matching := [number | some number, rule in data.firewall; matches(rule)]

verdict := data.firewall[min(matching)].verdict if count(matching) > 0

matches(rule) if {
	in_range(rule.ports, input.port)
	object.get(rule, "protocol", input.protocol) == input.protocol
	some block in rule.from
	net.cidr_contains(block, input.from)
}

in_range([low, high], port) if {
	low <= port
	port <= high
}

in_range(port, port)

in_range("any", _)

zones[zone] contains address if {
	some zone, blocks in data.zones
	some address in input.addresses
	some block in blocks
	net.cidr_contains(block, address)
}

zone_of[address] := zone if {
	some zone
	address := zones[zone][_]
}

unplaced := {address | some address in input.addresses} - {address | zone_of[address]}

shared := zones.office & zones.vpn

both := zones.office | zones.vpn

expanded := net.cidr_expand(input.small)

ports := {port | some port in numbers.range(input.port - 2, input.port + 2); port % 2 == 0}

well_known if input.port < 1024

well_known if input.port in {3306, 5432, 6379}

ephemeral if not well_known

risk := 3 if {
	well_known
	not input.encrypted
} else := 2 if {
	well_known
} else := 1 if ephemeral
