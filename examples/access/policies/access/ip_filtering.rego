# Where a question may come from: never a blocked network, and for sensitive resources a known one.
package access.ip_filtering

address := input.context.address

default is_address := false

is_address if net.cidr_contains("0.0.0.0/0", address)

is_address if net.cidr_contains("::/0", address)

objections contains "it is not known where the request comes from" if not is_address

objections contains sprintf("requests from %s are blocked", [address]) if {
	some block in data.access.networks.blocked
	net.cidr_contains(block, address)
}

objections contains sprintf("%s is no network of ours", [address]) if {
	data.access.resources[input.resource.name].sensitivity in {"high", "critical"}
	is_address
	count(known) == 0
}

known contains name if {
	some name, blocks in data.access.networks.known
	some block in blocks
	net.cidr_contains(block, address)
}
