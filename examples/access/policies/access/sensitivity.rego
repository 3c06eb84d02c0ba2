# A resource has a sensitivity, and a subject reaches up to one.
package access.sensitivity

import data.access.rbac

levels := {"low": 1, "medium": 2, "high": 3, "critical": 4}

default needed := 4

needed := levels[data.access.resources[input.resource.name].sensitivity]

default reached := 0

reached := max({levels[data.access.roles[role].reaches] | some role in rbac.held}) if count(rbac.held) > 0

objections contains sprintf("the resource is more sensitive than %s may reach", [input.user.id]) if {
	input.user.id
	reached < needed
}
