# What would be decided if: parts of input, data, rules and builtins replaced while a rule is evaluated.
package hypothesis

default allow := false

allow if {
	input.user in data.admins
	not suspended
}

allow if quota.left > input.cost

suspended if data.suspended[input.user]

quota := {"left": data.quotas[input.user] - spent}

spent := count(input.calls)

as_root if allow with input.user as "root"

without_cost if allow with input.cost as 0

with_more if data.hypothesis.allow with data.quotas as {input.user: 1000}

if_admin if data.hypothesis.allow with data.admins as [input.user] with data.suspended as {}

if_suspended := answer if answer := allow with data.hypothesis.suspended as true

if_spent[n] := left if {
	some n in [0, 1, 10]
	left := quota.left with data.hypothesis.spent as n
}

fewest := answer if answer := min([n | some n in numbers.range(0, 12); not allow with input.cost as n])

whole := [answer |
	some user in ["root", "u1", "u2"]
	answer := allow with input as {"user": user, "cost": 3}
]

count_mocked := answer if answer := spent with count as 2

function_mocked := answer if answer := double(4) with double as triple

double(x) := x * 2

triple(x) := x * 3

nested_with if {
	inner with input.level as 1
	not inner with input.level as 3
}

inner if {
	middle with input.extra as input.level
}

middle if input.extra < 2

changed contains user if {
	some user in ["root", "u1", "u2", "u3"]
	before := {"v": allow} with input.user as user
	after := {"v": allow} with input.user as user with data.admins as ["u2"]
	before != after
}

undefined_target := answer if answer := input.new.path with input.new.path as 7

whole_data := answer if answer := data.quotas with data.quotas.new as 5

not_allowed if {
	not allow with input.user as "nobody"
	not input.user == "nobody"
}

all_cheap if {
	every call in input.calls {
		allow with input.cost as call
	}
}
