"""What one of the two engines says to one question, and when two answers are the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

_LONG: Final = 4_000
"""Digits from which on Python refuses to read an integer as int."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A defined value."""

    value: Any
    """As `read` returns it."""


@dataclass(frozen=True, slots=True)
class Undefined:
    """The path has no value for this input."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The evaluation ended with an error: a conflict, or a builtin that halts."""

    reason: str


@dataclass(frozen=True, slots=True)
class Panicked:
    """The engine met a mistake of its own, and contained it. Whatever OPA says, this is a finding."""

    reason: str


@dataclass(frozen=True, slots=True)
class Inconsistent:
    """The engine decides otherwise than it evaluates: its cache took one question for another. Whatever OPA says, a finding."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """No answer, and said so: the question goes to the baseline, or no time was left for it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Mistyped:
    """The engine does not load the policies, for their types. OPA must not either: what it loads and answers is a finding."""

    reason: str


Outcome = Answer | Undefined | Failed | Panicked | Inconsistent | Refused | Mistyped


def read(text: str | bytes) -> Any:
    """Parse JSON; numbers keep every digit. Raises ValueError."""
    return json.loads(text, parse_float=Decimal, parse_int=_integer)


def write(value: Any) -> str:
    """Return `value`, as `read` returns it, as JSON text with sorted keys."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {write(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(write, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: numbers by their value, everything else also by its type."""
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) < _LONG else Decimal(digits)
