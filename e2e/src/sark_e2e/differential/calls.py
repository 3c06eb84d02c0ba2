"""Calls of builtins as a case: every builtin of a family with every row of operands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from .case import Case
from .comparison import Disagreement
from .finding import words

_MOST: Final = 20

# Operands come with the input, so that neither engine knows their types beforehand: bad ones are part of the question.
_HEAD: Final = """package calls

import rego.v1

operand(at) := {item | some item in input[at].set} if "set" in object.keys(input[at])

operand(at) := input[at].value
"""


def calls(origin: str, builtins: Sequence[str], rows: Sequence[Sequence[Any]]) -> Case:
    """Return the case that calls each of `builtins` with each of `rows`, whose operands are JSON values or Python sets."""
    (arity,) = {len(row) for row in rows}
    operands = ", ".join(f"operand({at})" for at in range(arity))
    rules = [f"{_rule(name)} := {name}({operands})\n" for name in builtins]
    return Case(
        origin=origin,
        modules=(("calls.rego", "\n".join([_HEAD, *rules])),),
        data="{}",
        inputs=tuple(json.dumps([_operand(value) for value in row]) for row in rows),
        paths=tuple(f"calls/{_rule(name)}" for name in builtins),
    )


def told(disagreements: Sequence[Disagreement]) -> str:
    """Return what the two say to the first of these calls."""
    lines = [
        f"{at.case.paths[0]} of {at.case.inputs[-1]}: OPA {words(at.opa)}; the engine {words(at.engine)}"
        for at in disagreements[:_MOST]
    ]
    return f"{len(disagreements)} calls differ:\n" + "\n".join(lines)


def _rule(builtin: str) -> str:
    return "of_" + builtin.replace(".", "_")


def _operand(value: Any) -> dict[str, Any]:
    return {"set": sorted(value, key=repr)} if isinstance(value, set | frozenset) else {"value": value}
