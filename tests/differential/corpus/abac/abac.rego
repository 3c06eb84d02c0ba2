# Attributes of the subject, the document and the moment.
package abac

import data.settings

default decision := {"effect": "deny", "because": "no rule applies"}

decision := {"effect": "deny", "because": "clearance"} if {
	level(input.subject) < level(input.document)
} else := {"effect": "allow", "because": "owner"} if {
	input.subject.id == input.document.owner
} else := {"effect": "allow", "because": "department"} if {
	input.subject.department == input.document.department
	input.action in {"read", "comment"}
	working_hours
} else := {"effect": "allow", "because": concat(",", sort(shared))} if {
	count(shared) > 0
	input.document.amount <= settings.limits[input.action]
}

level(thing) := settings.levels[thing.clearance]

level(thing) := 0 if not thing.clearance

shared := {group | some group in input.subject.groups} & {group | some group in input.document.groups}

moment := time.parse_rfc3339_ns(input.time)

working_hours if {
	[hour, _, _] := time.clock(moment)
	hour >= 8
	hour < 18
	not time.weekday(moment) in {"Saturday", "Sunday"}
}

expired if moment > time.parse_rfc3339_ns(input.document.expires)

age_days := floor((moment - time.parse_rfc3339_ns(input.document.created)) / 86400000000000)

date := time.date(moment)

formatted := time.format(time.add_date(moment, 0, 1, -1))

elapsed := time.diff(moment, time.parse_rfc3339_ns(input.document.created))

obligations contains obligation if {
	some obligation, levels in settings.obligations
	level(input.document) in levels
}

obligations contains "mask" if {
	decision.effect == "allow"
	input.document.amount > 1000.5
}

consistent if {
	every group in shared {
		group in settings.groups
		not startswith(group, "tmp-")
	}
}
