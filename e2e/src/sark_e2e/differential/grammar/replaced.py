"""Documents in place of others: what `with` puts there, what more is put into that, and what is read of them afterwards.

OPA writes a replacement into the one around it, and where that is base data it keeps what it wrote until the query ends. Each
question is therefore put to it alone.
"""

from __future__ import annotations

import random
from typing import Final

from sark_e2e.differential.case import Case

_DATA: Final = '{"d": {"u": {"k": 1, "o": {"p": 1}}, "v": {"k": {"z": 1}}, "l": [1, 2]}, "e": {"u": {"k": {"m": 2}}, "k": 3}}'
_INPUTS: Final = (
    '{"u": {"k": 1, "o": {"p": 1}}, "k": {"z": 2}}',
    '{"u": {"k": 2}, "k": 3}',
    '{"u": 5, "k": {"z": {"y": 1}}}',
    "{}",
)
_DOCUMENTS: Final = ("data.d", "data.d.u", "data.d.v", "data.d.l", "data.d.u.o", "data.e", "data.e.u", "data.n", "data.n.w")
_PATHS: Final = ("input", "input.u", "input.k", "input.u.k", "input.u.o", "input.k.z", "input.u.o.p")
_TARGETS: Final = (*_PATHS, *_PATHS, "data.n", "data.n.w", "data.n.w.k", "data.d.u", "data.d.u.k", "data.e.u")
_VALUES: Final = ("5", '{"k": 7}', '{"u": {"k": 8}}', "{}", "null", "[1]", "false")
_TERMS: Final = (
    *("<r>", "<r>", "[<r>, <r>]", '{"k": <r>}', "count(<r>)", "object.keys(<r>)", "{k | <r>[k]}", "{p | walk(<r>, [p, _])}"),
    *('object.get(<r>, ["u", "k"], "none")', "{v | v := <r>[_]}", "f(<r>)"),
)
_QUESTIONS: Final = 8
_MOST_INPUTS: Final = 3
_HELPERS: Final = ("p0", "p1", "p2")


def replaced(chance: random.Random, inputs: int) -> Case:
    """Return rules that replace documents and read them, with at most `inputs` inputs."""
    rules = [_rule(chance, name, _HELPERS[:number], 1) for number, name in enumerate(_HELPERS)]
    rules.append(f"f(x) := [x, {chance.choice(_PATHS)}]")
    rules += [_rule(chance, f"r{number}", _HELPERS, chance.randint(1, 3)) for number in range(_QUESTIONS)]
    source = "\n\n".join(["package m", *rules]) + "\n"
    asked = tuple(chance.sample(_INPUTS, k=min(inputs, _MOST_INPUTS)))
    paths = tuple(f"m/r{number}" for number in range(_QUESTIONS))
    return Case("replaced", (("m.rego", source),), _DATA, asked, paths, apart=True)


def _rule(chance: random.Random, name: str, helpers: tuple[str, ...], statements: int) -> str:
    """Return a rule of one value for each of its statements; what is undefined is an empty set, and hides nothing else."""
    lines = [f"x{number} := {_statement(chance, helpers)}" for number in range(statements)]
    values = ", ".join(f"x{number}" for number in range(statements))
    return f"{name} := [{values}] if {{\n" + "".join(f"\t{line}\n" for line in lines) + "}"


def _statement(chance: random.Random, helpers: tuple[str, ...]) -> str:
    term, replacements = _term(chance, helpers), _replacements(chance, helpers)
    return f"{{z | z := {term}{replacements}}}" if chance.random() < 0.6 else f"{{z | z := {term}}}{replacements}"


def _term(chance: random.Random, helpers: tuple[str, ...]) -> str:
    if helpers and chance.random() < 0.3:
        return chance.choice(helpers)
    term = chance.choice(_TERMS)
    while "<r>" in term:
        term = term.replace("<r>", chance.choice([*_DOCUMENTS, *_PATHS, *_PATHS]), 1)
    return term


def _replacements(chance: random.Random, helpers: tuple[str, ...]) -> str:
    """Return some `with`, half of them by a document, so that the next may lie inside of it."""
    return "".join(
        f" with {chance.choice(_TARGETS)} as {_value(chance, helpers)}" for _ in range(chance.choice([0, 1, 1, 2, 2, 3]))
    )


def _value(chance: random.Random, helpers: tuple[str, ...]) -> str:
    computed = (*helpers, '{"k": data.d}', "f(input)" if helpers else "{}")
    return chance.choice(chance.choices([_DOCUMENTS, _PATHS, computed, _VALUES], weights=[4, 2, 1, 5])[0])
