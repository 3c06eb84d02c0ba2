"""Whether two decisions are the same, and if not, where they differ and how grave that is. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .documents import UNDEFINED, canonical

MAX_DIFFERENCES = 20
"""Most places that are named."""
Pointer = tuple[str, ...]
"""A JSON pointer (RFC 6901), taken apart."""


class Kind(StrEnum):
    """In what two decisions differ; of several differences the first of these counts."""

    UNDEFINED = "undefined"
    ALLOW = "allow"
    FILTERED_PARAMETERS = "filtered_parameters"
    REASON = "reason"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Difference:
    """Two decisions that differ."""

    kind: Kind
    pointers: tuple[Pointer, ...]
    """The first places where they do, in the order of the documents' keys."""
    is_complete: bool
    """Whether these are all of them."""


def compare(one: Any, other: Any) -> Difference | None:
    """Return in what two decisions differ; None when they are the same.

    Both are documents of `read_document`, or UNDEFINED. Arrays are compared in order: OPA's sets are sorted in an answer.
    """
    if canonical(one) == canonical(other):
        return None
    found: list[Pointer] = []
    for pointer in _differences(one, other, ()):
        if len(found) == MAX_DIFFERENCES:
            return Difference(_kind(one, other), tuple(found), is_complete=False)
        found.append(pointer)
    return Difference(_kind(one, other), tuple(found), is_complete=True)


def meaning(decision: Any) -> str:
    """Return `allow`, `deny` or `undefined`, as a client of the data API would read the decision."""
    if decision is UNDEFINED:
        return "undefined"
    allowed = decision.get("allow") is True if isinstance(decision, dict) else decision is True
    return "allow" if allowed else "deny"


def pointer_text(pointer: Pointer) -> str:
    """Return a pointer as RFC 6901 writes it."""
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in pointer)


def _kind(one: Any, other: Any) -> Kind:
    if one is UNDEFINED or other is UNDEFINED:
        return Kind.UNDEFINED
    if meaning(one) != meaning(other):
        return Kind.ALLOW
    if isinstance(one, dict) and isinstance(other, dict):
        for name in (Kind.ALLOW, Kind.FILTERED_PARAMETERS, Kind.REASON):
            if canonical(one.get(name.value, UNDEFINED)) != canonical(other.get(name.value, UNDEFINED)):
                return name
    return Kind.OTHER


def _differences(one: Any, other: Any, at: Pointer) -> Iterator[Pointer]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from _differences(one.get(key, UNDEFINED), other.get(key, UNDEFINED), (*at, key))
    elif isinstance(one, list) and isinstance(other, list):
        for index in range(max(len(one), len(other))):
            mine, theirs = (items[index] if index < len(items) else UNDEFINED for items in (one, other))
            yield from _differences(mine, theirs, (*at, str(index)))
    elif canonical(one) != canonical(other):
        yield at
