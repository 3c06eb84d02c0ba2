"""Policies whose statements share variables and stand in any order: what a compiler must put right before it evaluates.

The other grammar writes bodies as people do, each variable bound before it is read. Here a variable may be read first and bound
last: by a pattern, a call's last argument, or in a comprehension. Names hide other names, and heads are whatever Rego allows.
OPA refuses much of it, rule by rule, and the campaign drops what it refuses.
"""

from __future__ import annotations

import random
from typing import Final

from sark_e2e.differential.case import Case
from sark_e2e.differential.mining import Inputs, mine

from .strand import Strand

_DATA: Final = (
    '{"d": {"l": ["a", "b", 1, "a"], "m": {"a": {"b": 1, "k": "a"}, "b": "a", "1": [1, "b"]}, "n": 2, "s": "a",'
    ' "0": {"1": "b"}, "g": {"a": ["b", "1"], "b": ["a"], "1": []}}}'
)
_IMPORTS: Final = (
    "import data.d as m",
    "import data.d.l",
    "import input.o",
    "import input.l as a",
    "import data.q",
    "import data.p as self",
)
_BESIDE: Final = """package q

allow if input.a == 1

r0 contains x if some x in input.l

f(x) := y if y := [x, x]

v[k] := i if some k, i in input.o
"""
_DEFAULTS: Final = ("false", "0", '"a"', "[]", "{}", "null", "[1 | true]")
_SEEDS: Final = (
    '{"a": "a", "b": 1, "l": ["a", 1, "b"], "o": {"k": "b", "a": "a"}, "x": {"a": 1, "k": "a"}}',
    '{"a": "b", "b": 2, "l": ["a", "a"], "o": {"k": {"k": 1}, "a": ["a", "b"]}, "x": "a"}',
    '{"a": "1", "b": 0, "l": [["a", 1], [1]], "o": {"a": 1, "b": "a", "k": false}, "x": [1, "b"]}',
)
_ARGUMENTS: Final = ("a", "b", "x", "x", "y", "[x, _]", "[x, y]", '{"k": x}', '"a"', "1", "_", "true")


def tangle(chance: random.Random, inputs: int) -> Case:
    """Return a random policy of tangled rules with `inputs` inputs for it."""
    rules: list[str] = []
    valued: list[str] = []
    functions: list[tuple[str, int]] = []
    for number in range(chance.randint(5, 9)):
        strand = Strand(chance, tuple(valued), tuple(functions))
        if chance.random() < 0.25:
            name, arity = f"f{number}", chance.choice([1, 1, 2])
            rules += _function(strand, name, arity)
            functions.append((name, arity))
        else:
            name = chance.choice([f"r{number}"] * 6 + ["x", "allow", "count", "y"])
            rules += _valued(strand, name) if name not in valued else []
            valued = [*dict.fromkeys([*valued, name])]
    chance.shuffle(rules)
    imports = chance.sample(_IMPORTS, chance.choice([0, 0, 1, 2]))
    source = "\n".join([chance.choice(["package p", "package p", "package p.a"]), *imports, "", *rules]) + "\n"
    package = source.split(maxsplit=2)[1].replace(".", "/")
    modules = (("p.rego", source), ("q.rego", _BESIDE))
    asked = Inputs(mine([source], _DATA), chance, _SEEDS)
    return Case("tangle", modules, _DATA, asked.texts(inputs), (*(f"{package}/{name}" for name in valued), package))


def _valued(strand: Strand, name: str) -> list[str]:
    """Return the definitions of a rule with a value."""
    chance = strand.chance
    kind = chance.choice(["complete"] * 4 + ["set", "set", "object", "object", "deep"])
    rules = [_definition(strand.another(), name, kind) for _ in range(chance.choice([1, 1, 2, 3]))]
    if kind == "complete" and chance.random() < 0.3:
        rules.append(f"default {name} := {chance.choice(_DEFAULTS)}")
    return rules


def _definition(strand: Strand, name: str, kind: str) -> str:
    chance = strand.chance
    value, key = strand.head(), strand.head()
    match kind:
        case "complete":
            head = chance.choice([name, f"{name} := {value}", f"{name} := {value}", f"{name} = {value}"])
        case "set":
            head = f"{name} contains {value}"
        case "object":
            head = chance.choice([f"{name}[{key}] := {value}", f"{name}[{key}] := {value}", f"{name}[{key}]"])
        case _:
            forms = [f"{name}.k[{key}]", f"{name}[{key}].k := {value}", f"{name}[{key}][{value}]", f"{name}.s contains {value}"]
            head = chance.choice([*forms, f"{name}[{key}] contains {value}"])
    body = strand.body()
    if kind == "complete" and chance.random() < 0.2:
        other = strand.another()
        body += f" else := {other.head()} if {other.block()}"
        body += f" else := {chance.choice(_DEFAULTS)}" if chance.random() < 0.3 else ""
    return f"{head} if {body}"


def _function(strand: Strand, name: str, arity: int) -> list[str]:
    """Return the definitions of a function, with patterns for arguments at times."""
    chance, rules = strand.chance, []
    for _ in range(chance.choice([1, 1, 2])):
        inner = strand.another()
        arguments = [chance.choice(_ARGUMENTS) for _ in range(arity)]
        inner.bind(
            *(name for argument in arguments for name in ("a", "b", "x", "y") if name in argument and '"' not in argument)
        )
        value = chance.choice(["", f" := {inner.head()}", f" := {inner.head()}"])
        rules.append(f"{name}({', '.join(arguments)}){value} if {inner.body()}")
    if chance.random() < 0.2:
        rules.append(f"default {name}({', '.join('_' * arity)}) := {chance.choice(_DEFAULTS)}")
    return rules
