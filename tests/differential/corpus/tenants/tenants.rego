# Organisations own organisations; a grant at a parent reaches everything below it.
package tenants

import data.orgs

ancestors[org] := graph.reachable(parents, {org}) if some org, _ in orgs

parents[org] := [parent | parent := orgs[org].parent] if some org, _ in orgs

chain[org] := count(ancestors[org]) if some org, _ in orgs

allow if {
	org := input.resource.org
	some above in ancestors[org]
	some grant in orgs[above].grants
	grant.user == input.user.id
	permitted(grant.level, input.action)
	not blocked(org)
}

permitted("admin", _)

permitted("writer", action) if action in {"read", "write"}

permitted("reader", "read")

permitted(level, action) if data.custom[level][_] == action

blocked(org) if orgs[org].suspended

blocked(org) if {
	some above in ancestors[org]
	above != org
	orgs[above].suspended == "deep"
}

visible contains org if {
	some org, _ in orgs
	data.tenants.allow with input.resource.org as org with input.action as "read"
}

siblings := {other | some other; orgs[other].parent == orgs[input.resource.org].parent; other != input.resource.org}

paths contains concat("/", path) if {
	walk(input.resource, [path, value])
	is_string(value)
	every step in path { is_string(step) }
}

deepest := max([depth | some _, depth in chain])

same_tenant if {
	input.user.org == input.resource.org
} else if {
	input.user.org in ancestors[input.resource.org]
} else := false

report[kind][org] := grants if {
	some org, description in orgs
	kind := object.get(description, "kind", "plain")
	grants := count(object.get(description, "grants", []))
}
