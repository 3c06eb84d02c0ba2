"""Rules with many definitions, each behind conditions that an index can choose by: most of them cannot hold for an input.

What an index leaves out is never evaluated, so a wrong one shows only where the definition that it lost would have held. The
conditions are those that OPA's index and ours look at, written in every way, beside such as neither can use. The inputs have
the very words of the conditions, in other types and spellings too.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from sark_e2e.differential.case import Case
from sark_e2e.differential.document import Document, Fields, Number, mutated, render

_WORDS: Final = ("a", "b", "ab", "", "1", "a/b", "true")
_NUMBERS: Final = ("0", "1", "2", "1.0", "10", "-1", "0.5")
_LITERALS: Final = (*(f'"{word}"' for word in _WORDS), *_NUMBERS, "true", "false", "null")
_PARTS: Final = ("[1]", "[]", "{}", '{"k": 1}', '["a", "b"]')
_DATA: Final = (
    '{"d": {"a": "a", "one": 1, "l": ["a", 1, "ab"], "m": {"a": 1, "b": "ab", "1": true}, "t": {"a": {"b": "a"}},'
    ' "none": null, "no": false}}'
)
_PATHS: Final = ("input.x", "input.x", "input.x", "input.y", "input.y", "input.o.k", 'input.o["a"]', "input.l[0]", "input")
_GLOBS: Final = ('"a*"', '"*"', '"a/*"', '"{a,b}"', '"**"', '"a?"', '"[ab]"')
# Some delimiters are wildcards as well.
_DELIMITERS: Final = ("[]", '["/"]', '["*"]', "null", "[]", '["/"]', "null", '["/", "?"]')
_DEFAULTS: Final = ("false", "0", '"none"', "{}", "null")


def guards(chance: random.Random, inputs: int) -> Case:
    """Return rules of guarded definitions with `inputs` inputs for them."""
    kinds = chance.choices(["complete", "set", "object", "function"], weights=[4, 2, 2, 3], k=chance.randint(2, 4))
    rules = [rule for number, kind in enumerate(kinds) for rule in _rule(chance, f"r{number}", kind)]
    named = [f"r{number}" for number, kind in enumerate(kinds) if kind != "function"]
    called = [f"r{number}" for number, kind in enumerate(kinds) if kind == "function"]
    for number, name in enumerate(called):
        arguments = f"{chance.choice(_PATHS)}, {chance.choice([*_PATHS, *_LITERALS])}"
        rules.append(chance.choice([f"c{number} := {name}({arguments})", f"c{number} if not {name}({arguments})"]))
    for number, name in enumerate(named):
        place = chance.choice(["input.x", "input.y", "input.o.k", "input"])
        rules.append(f"w{number} := v if {{ v := {name} with {place} as {_literal(chance)} }}")
    source = "\n\n".join(["package g", *rules]) + "\n"
    paths = [*named, *(f"c{number}" for number in range(len(called))), *(f"w{number}" for number in range(len(named)))]
    texts = tuple(render(_input(chance)) for _ in range(inputs))
    return Case("guards", (("g.rego", source),), _DATA, texts, tuple(f"g/{path}" for path in paths))


def _rule(chance: random.Random, name: str, kind: str) -> list[str]:
    """Return the definitions of one rule, more of them than an index begins at."""
    rules = [_definition(chance, name, kind, number) for number in range(chance.randint(3, 10))]
    if kind == "complete" and chance.random() < 0.4:
        rules.append(f"default {name} := {chance.choice(_DEFAULTS)}")
    if kind == "function" and chance.random() < 0.3:
        rules.append(f"default {name}(_, _) := {chance.choice(_DEFAULTS)}")
    return rules


def _definition(chance: random.Random, name: str, kind: str, number: int) -> str:
    value = chance.choice(["true", "true", str(number), _literal(chance), "input.y", "data.d.m"])
    match kind:
        case "complete":
            head = chance.choice([name, name, f"{name} := {value}", f"{name} := true"])
        case "set":
            head = f"{name} contains {chance.choice([value, str(number)])}"
        case "object":
            key = chance.choice([f'"k{number}"', "input.x", _literal(chance)])
            head = f"{name}[{key}] := {value}"
        case _:
            first, second = _argument(chance, "p"), _argument(chance, "q")
            head = f"{name}({first}, {second}) := {chance.choice(['true', str(number), 'true'])}"
    subjects = _PATHS if kind != "function" else ("p", "p", "q", "input.x")
    bound = [subject for subject in subjects if subject not in ("p", "q") or f"({subject}" in head or f" {subject})" in head]
    body = _body(chance, bound or ["input.x"], number)
    if kind in ("complete", "function") and chance.random() < 0.25:
        body += f" else := {_literal(chance)} if {_body(chance, bound or ['input.x'], number)}"
        body += f" else := {_literal(chance)}" if chance.random() < 0.3 else ""
    return f"{head} if {body}"


def _argument(chance: random.Random, name: str) -> str:
    return chance.choice([name, name, _literal(chance), _literal(chance), "_", '["a", _]', '{"k": _}'])


def _body(chance: random.Random, subjects: Sequence[str], number: int) -> str:
    lines = [_guard(chance, chance.choice(subjects), place) for place in range(chance.choice([1, 1, 2, 2, 3]))]
    chance.shuffle(lines)
    return "{ " + "; ".join(lines) + f"; {number} == {number} }}"


def _guard(chance: random.Random, subject: str, place: int) -> str:
    """Return one condition on `subject`, with names of its own by `place`."""
    one, other = _literal(chance), _literal(chance)
    name = f"v{place}"
    usable = (
        f"{subject} == {one}",
        f"{one} == {subject}",
        f"{subject} = {one}",
        f"{name} := {subject}; {name} == {one}",
        f"{name} := {one}; {subject} == {name}",
        f"{subject} in {{{one}, {other}}}",
        f"{subject} in [{one}, {other}]",
        f"some {name} in {{{one}, {other}}}; {subject} == {name}",
        f"{subject} == {{{one}, {other}}}[_]",
        f"glob.match({chance.choice(_GLOBS)}, {chance.choice(_DELIMITERS)}, {subject})",
        f"{subject} == data.d.{chance.choice(['a', 'one', 'none', 'no'])}",
        f"equal({subject}, {one})",
    )
    others = (
        f"not {subject} == {one}",
        f"{subject} != {one}",
        f"not {subject}",
        f"{subject}",
        f"{subject}[_] == {one}",
        f"{subject} == {chance.choice(_PARTS)}",
        f"data.d.m[{subject}]",
        f"{subject} in data.d.l",
        f'startswith({subject}, "{chance.choice(_WORDS)}")',
        f"{subject} == {chance.choice(_PATHS)}",
        f"is_null({subject})",
        f"{subject} == data.d.t.a.b",
        f"lower({subject}) == {one}",
    )
    return chance.choice(usable) if chance.random() < 0.75 else chance.choice(others)


def _literal(chance: random.Random) -> str:
    return chance.choice(_LITERALS)


def _input(chance: random.Random) -> Document:
    fields = Fields(
        (
            ("x", _value(chance)),
            ("y", _value(chance)),
            ("o", Fields((("k", _value(chance)), ("a", _value(chance))))),
            ("l", [_value(chance)]),
        )
    )
    return mutated(fields, chance, _WORDS, _NUMBERS) if chance.random() < 0.3 else fields


def _value(chance: random.Random) -> Document:
    return chance.choice([*_WORDS, *map(Number, _NUMBERS), True, False, None])
