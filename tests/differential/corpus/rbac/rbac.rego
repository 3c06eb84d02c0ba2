# Roles from bindings, inherited through a graph; denials win.
package rbac

default allow := false

allow if {
	some permission in permissions
	permission.action == input.action
	glob.match(permission.resource, ["/"], input.resource)
	not denied
}

allow if "root" in roles

bound contains role if {
	some role, users in data.bindings
	input.user in users
}

roles := graph.reachable(data.inherits, bound)

permissions contains permission if {
	some role in roles
	some permission in data.permissions[role]
}

denied if {
	some rule in data.denials
	rule.user == input.user
	startswith(input.resource, rule.prefix)
}

actions[role] := {permission.action | some permission in data.permissions[role]} if some role in roles

reasons contains sprintf("%s is suspended below %s", [input.user, rule.prefix]) if {
	some rule in data.denials
	rule.user == input.user
}

reasons contains "no role" if count(roles) == 0

summary := {"roles": roles, "actions": actions, "allow": allow, "reasons": sort(reasons)}
