# Nothing that looks like a secret or a person leaves in a parameter: some is taken out, some is refused.
package access.privacy

parameters := object.get(input, "parameters", {})

findings[name] contains kind if {
	some name, value in parameters
	is_string(value)
	some kind, pattern in data.access.privacy.patterns
	regex.match(pattern, value)
}

objections contains sprintf("parameter %s looks like %s", [name, kind]) if {
	some name, kinds in findings
	some kind in kinds
	kind in data.access.privacy.refused
}

hidden contains name if {
	some name, kinds in findings
	count(kinds) > 0
}

hidden contains name if {
	some name, _ in parameters
	lower(name) in data.access.privacy.names
}

filtered_parameters := {name: value |
	some name, value in parameters
	not name in hidden
}
