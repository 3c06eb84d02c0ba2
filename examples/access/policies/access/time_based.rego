# Sensitive resources are reached in working hours of their team's place, and nothing is while it is frozen.
package access.time_based

at := time.parse_rfc3339_ns(input.context.time)

resource := data.access.resources[input.resource.name]

default place := "an unknown place"

place := data.access.teams[resource.team].place

hours := data.access.places[place]

default working := false

working if {
	time.weekday([at, hours.zone]) in hours.days
	[hour, _, _] := time.clock([at, hours.zone])
	hour >= hours.from
	hour < hours.to
}

objections contains "it is not known what time it is" if not at

objections contains sprintf("outside working hours in %s", [place]) if {
	resource.sensitivity in {"high", "critical"}
	at
	not working
}

objections contains sprintf("frozen: %s", [freeze.why]) if {
	some freeze in data.access.freezes
	input.action != "tool:read"
	at >= time.parse_rfc3339_ns(freeze.from)
	at < time.parse_rfc3339_ns(freeze.to)
}
