# Many definitions of one name, with guards that overlap, conflict, and say the same in different ways.
package guards

tier := 1 if input.kind == "a"

tier := 1 if "a" == input.kind

tier := 2 if input.kind == "b"

tier := 3 if {
	input.kind == "b"
	input.level == 3
}

tier := 4 if input.kind = 1

tier := 4 if input.kind == 1.0

tier := 5 if input.kind == null

tier := 6 if input.kind == true

tier := 7 if input.kind == ["x"]

tier := 8 if input.kind == {"x": 1}

tier := 9 if input.kind in {"c", "d", 2}

tier := 10 if startswith(input.kind, "pre")

tier := 11 if input.kind == input.other

tier := 12 if input.kind == data.special

tier := 13 if {
	some kind in ["e", "f"]
	input.kind == kind
}

default tier := 0

first[input.kind] := "array" if input.list[0] == "a"

first[input.kind] := "array" if "b" == input.list[1]

first.b := "fixed" if input.list == ["a", "b"]

named contains "one" if input.list[_] == "a"

named contains "two" if input.list[0].name == "a"

named contains "three" if {
	not input.kind == "a"
	not "b" == input.kind
}

named contains "four" if input["kind"] != "a"

named contains input.kind if input.level > 2

named contains "five" if {
	kind := input.kind
	kind == "a"
}

named contains "six" if f(input.kind)

named contains "seven" if tier == 1 with input.kind as "a"

named contains "eight" if tier == 2 with input as {"kind": "b"}

named contains "nine" if glob.match("p*", [], input.kind)

f("a")

f(1)

f(kind) if kind == "b"

f(kind) := "other" if {
	kind != "a"
	kind != "b"
	kind != 1
	input.level == 1
}

nested := "inner" if {
	input.a.b.c == 1
	input.a.b.d == "x"
} else := "outer" if {
	input.a.b == {"c": 2}
} else := "none" if input.a

closed if {
	input.kind == "a"
	input.kind == "b"
}

open if input.level

open if not input.level

both if {
	input.kind == "a"
	input.level == 1
}

both := false if {
	input.kind == "a"
	input.level == 2
}

both := "third" if {
	input.level == 2
	input.kind == "a"
	input.strict == true
}
