# Unification, nested negation, sets of sets, and recursion through data.
package patterns

pair := [x, y] if [x, y] = input.pair

swapped := [y, x] if [x, y] := input.pair

name := n if {"user": {"name": n}} = input

name_of contains n if {"name": n, "kind": "person"} = input.things[_]

unified if {
	x = input.a
	x = input.b
}

linked contains [i, j] if {
	some i, j
	input.things[i].next == input.things[j].name
}

lonely contains thing.name if {
	some thing in input.things
	not points_to(thing.name)
}

points_to(name) if input.things[_].next == name

no_loops if {
	not self_loop
}

self_loop if {
	some thing in input.things
	thing.next == thing.name
}

all_named if {
	not unnamed
}

unnamed if {
	some thing in input.things
	not thing.name
}

groups := {kind: names |
	some thing in input.things
	kind := thing.kind
	names := {other.name | some other in input.things; other.kind == kind}
}

pairs := {{a.name, b.name} | some a in input.things; some b in input.things; a.name < b.name}

nested := [[y | some y in x] | some x in input.matrix]

transposed := [[row[i] | some row in input.matrix] | some i in numbers.range(0, count(input.matrix[0]) - 1)]

flat := [x | x := input.matrix[_][_]]

positions contains [i, j, x] if x := input.matrix[i][j]

diagonal := {i: x | x := input.matrix[i][i]}

present if input.a

false_or_missing if not input.a

really_false if input.a == false

truthy contains key if {
	some key, value in input
	value
}

reach := graph.reachable(edges, {input.start})

ways := graph.reachable_paths(edges, {input.start})

edges[thing.name] contains thing.next if some thing in input.things

in_key if (0, input.a in input.pair)

in_value if input.a in input.pair

in_object if input.a in input.user

symmetric if input.matrix == transposed

types := {type_name(value) | some value in input}

complement := {1, 2, 3, "a", null} - {x | some x in input.pair}

every_row if {
	every i, row in input.matrix {
		count(row) == count(input.matrix)
		row[i] != null
	}
}

everything_empty if {
	every x in [] { x == 1 }
	every x in {} { x == 1 }
	every x in input.pair { x == x }
}

any_row if {
	some row in input.matrix
	every cell in row { cell > 0 }
}

last := input.pair[count(input.pair) - 1]

conflict := x if some x in input.pair
