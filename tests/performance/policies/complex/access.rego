# Which roles somebody has in a tenant, by name, by group and by inheritance, and which of them grant what is asked.
package tenancy.access

import data.bindings
import data.roles

# Bound to the person, or to a group the person is in.
assigned contains binding.role if {
	some binding in bindings[input.tenant]
	principal_matches(binding.principal)
	not expired(binding)
}

principal_matches(principal) if principal == sprintf("user:%s", [input.user.id])

principal_matches(principal) if {
	some group in input.user.groups
	principal == sprintf("group:%s", [group])
}

expired(binding) if input.context.time > binding.until

inheritance[name] := role.inherits if some name, role in roles

effective := graph.reachable(inheritance, assigned)

granting contains name if {
	some name in effective
	some grant in roles[name].grants
	some action in grant.actions
	action_matches(action)
	glob.match(grant.resource, ["/"], input.resource.path)
}

action_matches(action) if action == input.action

action_matches(action) if action == "*"

default granted := false

granted if count(granting) > 0

# The highest classification that the granting roles are cleared for.
clearance := max({level |
	some name in granting
	level := roles[name].clearance
})
