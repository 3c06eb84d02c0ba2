# Arithmetic on money, counters and identifiers.
package quotas

default allow := false

allow if used + input.amount <= limit

used := sum([entry.amount | some entry in input.history; entry.account == input.account])

limit := data.limits[input.account] * factor

factor := 1.5 if {
	input.premium
} else := 0.1 if {
	input.amount > 1000000
} else := 1

rest := limit - used

share := round((used / limit) * 100)

ratio := used / limit

percent := (input.amount * 100) / rest

bucket := input.id % 10

hash := ((input.id * 31) + 7) % 1000

next_id := input.id + 1

half := input.id / 2

square := input.amount * input.amount

large if input.id > 9007199254740992

same_id if input.id == data.owner

exactly_one if input.amount == 1

exactly_one_float if input.amount == 1.0

integer if floor(input.amount) == input.amount

rounded := [round(input.amount), ceil(input.amount), floor(input.amount), abs(input.amount)]

ordered := sort([input.amount, input.id, "1", null, true, [1], {"a": 1}, {1}, 1.0, -1, data.owner])

distinct := count({input.amount, 1, 1.0, 1e0, "1"})

text := sprintf("%v %d %.2f %s", [input.amount, input.id, input.amount, input.account])

parsed := to_number(input.text)

formatted := format_int(input.id, 16)

products := product([entry.amount | some entry in input.history])

extremes := [max([entry.amount | some entry in input.history]), min([entry.amount | some entry in input.history])]

smaller if input.amount < input.text

bits_set := [bits.and(input.id, 255), bits.or(input.id, 1), bits.xor(input.id, 3), bits.lsh(input.id, 2), bits.rsh(input.id, 1)]

by_account[account] := total if {
	some account in {entry.account | some entry in input.history}
	total := sum([entry.amount | some entry in input.history; entry.account == account])
}

steps := numbers.range_step(0, 10, 3)

level := "none" if used == 0

level := "low" if {
	used > 0
	share < 50
}

level := "high" if share >= 50

bytes := units.parse_bytes(input.size)
