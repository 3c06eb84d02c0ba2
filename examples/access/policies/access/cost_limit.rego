# What is spent in a day has an end, and near it only cheap calls go through.
package access.cost_limit

cost := object.get(data.access.resources[input.resource.name], "cost", 0)

spent := input.context.spent

spending_known if {
	is_number(spent)
	spent >= 0
}

limit := max(limits) if count(limits) > 0

limits := {data.access.budgets.roles[role] | some role in input.user.roles}

# Who has no budget of his own has the largest of his roles, and without any nothing that costs goes through.
daily := data.access.budgets.agents if {
	input.agent.id
} else := data.access.budgets.users[input.user.id] if {
	true
} else := limit if {
	true
} else := 0

objections contains "it is not known what was spent today" if {
	cost > 0
	not spending_known
}

objections contains sprintf("%d of %d cents are spent, and this costs %d", [spent, daily, cost]) if {
	cost > 0
	spent + cost > daily
}

objections contains "less than a tenth of the budget is left: only calls below 10 cents" if {
	cost >= 10
	spent + cost <= daily
	(daily - spent) * 10 < daily
}
