# A second factor, fresh enough for what is asked and strong enough for what is critical.
package access.mfa_required

resource := data.access.resources[input.resource.name]

rule := data.access.mfa[resource.sensitivity]

fresh if {
	age := time.parse_rfc3339_ns(input.context.time) - time.parse_rfc3339_ns(input.user.mfa.at)
	age >= 0
	age <= rule.minutes * 60000000000
}

strong if {
	some method in input.user.mfa.methods
	method in rule.methods
}

objections contains "a second factor is needed" if {
	rule
	input.user.id
	not input.user.mfa
}

objections contains sprintf("the second factor is older than %d minutes", [rule.minutes]) if {
	input.user.mfa
	rule
	not fresh
}

objections contains sprintf("one of %s is needed", [concat(", ", sort(rule.methods))]) if {
	input.user.mfa
	rule
	not strong
}
