# The caller's parameters, reduced to what the tenant lets through.
package tenancy.parameters

import data.tenants

limits := tenants[input.tenant].limits

filtered[name] := value if {
	some name, given in input.parameters
	not hidden(name)
	value := bounded(name, given)
}

hidden(name) if {
	some pattern in limits.hidden
	glob.match(pattern, [], name)
}

# A number above the tenant's limit becomes the limit; columns nobody may see are left out.
bounded(name, given) := min([given, limits.rows]) if {
	name == "rows"
	is_number(given)
}

bounded(name, given) := [column |
	some column in given
	not hidden(column)
] if {
	name == "columns"
	is_array(given)
}

bounded(name, given) := given if not name in {"rows", "columns"}
