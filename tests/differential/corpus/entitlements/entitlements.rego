# Answers in the shape a caller wants them, written with references in rule heads.
package entitlements

import data.plans

feature[name].enabled := enabled if {
	some name, need in data.features
	enabled := rank(input.plan) >= rank(need.plan)
}

feature[name].limit := need.limit * seats if {
	some name, need in data.features
	need.limit
}

why[name] contains "plan" if {
	some name, need in data.features
	rank(input.plan) < rank(need.plan)
}

why[name] contains sprintf("beta for %v", [input.user]) if {
	some name, need in data.features
	need.beta
	not input.user in data.testers
}

account.id := input.account

account.plan := input.plan

account.tags contains tag if some tag in input.tags

account.tags contains lower(tag) if some tag in input.tags

account.quota[kind] := plans[input.plan].quota[kind] + bonus if {
	some kind in object.keys(plans[input.plan].quota)
	bonus := object.get(input, ["bonus", kind], 0)
}

default rank(_) := -1

rank(plan) := plans[plan].rank

default seats := 1

seats := input.seats if {
	is_number(input.seats)
	input.seats > 0
}

upgrade := next if {
	some next, plan in plans
	plan.rank == rank(input.plan) + 1
}

cheapest[need.plan] contains name if some name, need in data.features

all_enabled if {
	every _, entry in feature { entry.enabled }
}

none_enabled if {
	every name, entry in feature {
		name != ""
		not entry.enabled
	}
}

overview := {name: object.union(entry, {"upgrade": object.get(data.plans, ["team", "rank"], null)}) | some name, entry in feature}
