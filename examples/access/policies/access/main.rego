# May this subject do this? Every policy of this folder has a say: one of them must grant, and none may object.
#
# input.user        id, roles, teams, mfa (methods, at: when it was last shown, RFC 3339)
# input.agent       instead of a user: id, type, trust, environment, capabilities, and the target it talks to
# input.action      as "tool:invoke"
# input.resource    name, sensitivity, team, cost (cents of a call)
# input.parameters  of the call
# input.context     time (RFC 3339), address, spent (cents of today)
#
# Time, address and spending come with the input, so that the same question always has the same answer and may be kept.
package access.main

import data.access.a2a_authorization
import data.access.allowlist
import data.access.cost_limit
import data.access.ip_filtering
import data.access.mfa_required
import data.access.privacy
import data.access.rbac
import data.access.sensitivity
import data.access.team_access
import data.access.time_based

# Whole and closed: whatever is missing from the input, there is an answer, and it is no.
default decision := {"allow": false, "reason": "the request is incomplete", "filtered_parameters": {}}

decision := {"allow": false, "reason": first_objection, "filtered_parameters": {}} if {
	count(objections) > 0
} else := {"allow": false, "reason": "nothing grants it", "filtered_parameters": {}} if {
	count(grants) == 0
} else := {
	"allow": true,
	"reason": concat(", ", sort(grants)),
	"filtered_parameters": privacy.filtered_parameters,
} if {
	count(objections) == 0
	count(grants) > 0
}

grants contains reason if some reason in rbac.grants

grants contains reason if some reason in team_access.grants

grants contains reason if some reason in a2a_authorization.grants

# The order in which reasons are told: what is wrong with the request before what is wrong with the moment.
objections := array.concat(
	array.concat(
		array.concat(sort(incomplete), sort(a2a_authorization.objections)),
		array.concat(sort(sensitivity.objections), sort(allowlist.objections)),
	),
	array.concat(
		array.concat(sort(ip_filtering.objections), sort(time_based.objections)),
		array.concat(sort(mfa_required.objections), array.concat(sort(cost_limit.objections), sort(privacy.objections))),
	),
)

first_objection := objections[0]

# Each is a rule of its own: `not f(x)` has no value, and objects to nothing, where x has none.
user_named if {
	is_string(input.user.id)
	input.user.id != ""
}

agent_named if {
	is_string(input.agent.id)
	input.agent.id != ""
}

action_named if is_string(input.action)

resource_known if data.access.resources[input.resource.name]

incomplete contains "neither a user nor an agent asks" if {
	not user_named
	not agent_named
}

incomplete contains "a user and an agent ask at once" if {
	input.user
	input.agent
}

incomplete contains "the action is missing" if not action_named

incomplete contains "the resource is unknown" if not resource_known
