"""Objects that OPA puts together piece by piece, and what becomes of them as members of sets and as keys.

A value is filed by a number that OPA takes when the value is made. What is put into it afterwards, by partial rules of several
levels, by `object.union_n` or by `with`, does not change that number: such an object equals another one and is not found where
that is. And `contains` inside of another rule writes into the sets that the other gives, constants too, as the next
questions see.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Final

from sark_e2e.differential.case import Case

_DATA: Final = '{"d": {"a": {"u": 1}, "l": ["a", "b"], "t": {"a": {"u": 1, "v": 2}, "b": {}}}}'
_INPUTS: Final = (
    '{"a": {"u": 1}, "k": "a", "m": "u", "l": ["a", "b"], "v": 1, "o": {"a": {"u": 1}}}',
    '{"a": {"u": {"w": 1}}, "k": "b", "m": "w", "l": ["a"], "v": {"w": 1}, "o": {"a": {"u": {"w": 1}}}}',
    '{"a": {}, "k": "a", "m": "v", "l": [], "v": 2, "o": {"a": {"u": 1, "v": 2}}}',
    '{"k": ["a", "b"], "m": ["b", "a"], "l": [["a", "b"], ["b", "a"], ["a", "b"]], "v": 1, "o": {}}',
)
_PLACE: Final = re.compile(r"<([a-z])>")
_HEADS: Final = (
    *("<p>[x][y] := <v> if <c>", "<p>[x] contains y if <c>", "<p>[x].<n> := <v> if <c>", "<p>[x] := <v> if <c>"),
    *("<p>[x][y].<n> := <v> if <c>", "<p>.<n>[x] := <v> if <c>", "<p>[x].<n> contains y if <c>", "<p> contains x if <c>"),
    *("<p> := <v>", "<p>.<n> := <v>", "<p>.<n> contains <v>", "<p> := {x: y | <b>}", "<p>[x] := y if <c>"),
    *("<p> := <v> if input.m == <q>\nelse := <v>", "default <p> := <w>\n\n<p> := <v> if input.k == <q>", "<p>[x][y] if <c>"),
    *("<p> := {x: <v> | <b>}", "<p>[x][<q>] := <v> if <c>"),
)
_BINDINGS: Final = (
    *('some x in ["a", "b"]; some y in ["u", "v"]', "some x in input.l; y := input.m", "some x, y in input.a"),
    *('some x in ["a"]; y := "u"', "some x, y in data.d.t", "some i, x in input.l; y := i"),
    "some x in input.l; some y in input.l",
)
_VALUES: Final = (
    *("1", "input.v", '{"u": 1}', "{1, 2}", '{"u", "v"}', "input.a", "data.d.a", "<r>", "<r>", "x", "[input.k, input.m]", "{}"),
    *('{"a": {"u": 1}}', "f(input.k)", '{"a": <r>}', "object.union_n([<o>, <o>])", "object.union(<o>, <o>)"),
)
_OBJECTS: Final = ("<r>", "input.o", '{"a": {"u": 1}}', '{"a": {"v": 2}}', '{"b": 1}', "data.d.t", "{}", "input.a", '{"a": 5}')
_TERMS: Final = (
    *("<r>", "<e>", "count({<e>, <e>})", "count({<e>} & {<e>})", "count({<e>} | {<e>})", "count({<e>} - {<e>})"),
    *("{<e>: 1}", "object.get({<o>: 5}, <e>, 6)", "object.subset([<e>], {<o>})", "[k | some k, _ in <e>]", "<r>[input.k]"),
    *("<r>[input.k][input.m]", "<r>[<q>]", 'object.get(<e>, ["a", "u"], 0)', "object.keys(<e>)", "{x | some x in [<e>, <e>]}"),
    *("{[x, y] | <e>[x][y]}", "json.patch(<e>, [])", 'object.remove(<e>, ["b"])', "{p | walk(<e>, [p, _])}", "f(<e>)"),
    *("graph.reachable(<e>, {input.k})", "count(<e>)", "{x: y | some x, y in <e>}", "union({{<e>}, {<e>}})"),
    *("{x: 1 | x := [<e>, <e>][_]}", "{[x, y]: <v> | <b>}", "cast_array({<e>})", "intersection({{<e>}, {<e>}})"),
    "{<r>[x] | some x in input.l}",
)
_CONDITIONS: Final = (
    *("<e> in {<o>, <o>}", "<e> == <o>", "<e> in [<o>]", "{<e>} == {<o>}", "some x in {<o>}; x == <e>"),
    "input in {input, <o>}",
    *("[<e>] in {[<o>]}", "every x in [<e>] { x in {<o>} }", "not <e> in {<o>}", "g(<e>)", "input.o in {<e>}", "s[<e>]"),
    *("input.k in <r>", "<r>[input.k][input.m]", "<r>[_][input.m]", "<r>[input.k] == input.v", "{<r>, <o>} == {<o>}"),
)
_REPLACEMENTS: Final = (
    *("input.a.u as 1", "input.o.a.v as 2", "input.k as <q>", "f as 7", "f as g", "<r> as <o>", "input as <o>", "g as f"),
    *("data.d.a.u as 3", "data.d.t.a.u as 1", "input.o as <o>", "input.v as <e>"),
)
_OTHERS: Final = (
    'f(x) := {1, 2} if x == "a"\n\nelse := x',
    "g(x) if x in {input.o, input.a}",
    "s contains input.o\n\ns contains q0",
)
_NAMES: Final = ("a", "b", "u")
_RULES: Final = 4
_QUESTIONS: Final = 10


def merged(chance: random.Random, inputs: int) -> Case:
    """Return rules that give objects in pieces, and questions that look for them, with at most `inputs` inputs."""
    rules = [_filled(chance, chance.choice(_HEADS), number) for number in range(_RULES)]
    rules += _OTHERS
    if chance.random() < 0.5:
        rules.append(_inside(chance))
    rules += [f"r{number} {_body(chance)}" for number in range(_QUESTIONS)]
    source = "\n\n".join(["package m", *rules]) + "\n"
    asked = tuple(chance.sample(_INPUTS, k=min(inputs, len(_INPUTS))))
    own = [f"m/q{number}" for number in range(_RULES)]
    return Case("merged", (("m.rego", source),), _DATA, asked, (*own, *(f"m/r{number}" for number in range(_QUESTIONS))))


def _inside(chance: random.Random) -> str:
    """Return a rule inside of another one, for the most part with members for what the other gives."""
    outer = f"q{chance.randrange(_RULES)}"
    return f"{outer}.{chance.choice(_NAMES)} {_filled(chance, chance.choice(['contains <v>', 'contains 3', ':= <v>']), 0)}"


def _body(chance: random.Random) -> str:
    if chance.random() < 0.5:
        text = _filled(chance, chance.choice(_TERMS), _RULES)
        return f":= z if {{ z := {text}{_replaced(chance)} }}"
    text = _filled(chance, chance.choice(_CONDITIONS), _RULES)
    can_replace = not text.startswith(("every", "some"))
    return f"if {{ {text}{_replaced(chance) if can_replace else ''} }}"


def _replaced(chance: random.Random) -> str:
    number = chance.choice([0, 0, 0, 1, 1, 2])
    return "".join(f" with {_filled(chance, chance.choice(_REPLACEMENTS), _RULES)}" for _ in range(number))


def _filled(chance: random.Random, template: str, number: int) -> str:
    """Return `template` with something of its own at each place; it refers to the rules before that of its number."""
    places: dict[str, Sequence[str]] = {
        "p": [f"q{number}"],
        "n": _NAMES,
        "q": [f'"{name}"' for name in _NAMES],
        "r": [f"data.m.q{earlier}" for earlier in range(number)] or ["data.d.a"],
        "e": ["<r>", "<r>", "<r>.a", "object.union_n([<o>, <o>])", "<o>", "[<r>]"],
        "c": ["{ <b> }"],
        "w": ["1", '{"u": 1}', "{1, 2}"],
        "b": _BINDINGS,
        "v": _VALUES,
        "o": _OBJECTS,
    }
    while _PLACE.search(template):
        template = _PLACE.sub(lambda place: chance.choice(places[place[1]]), template)
    return template
