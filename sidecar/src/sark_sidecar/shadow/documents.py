"""Documents read for comparison: numbers count by what they are worth, not by how they are written."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from sark_sidecar.exact_json import JsonError

MAX_DEPTH: Final = 200
"""Deeper documents are not compared."""


class Undefined:
    """The decision of a path that has no value: neither null nor false."""

    def __repr__(self) -> str:
        """Return its name."""
        return "UNDEFINED"


UNDEFINED: Final = Undefined()


def read_document(text: bytes) -> Any:
    """Return the document in `text`, its numbers as Decimal; of a member that appears twice the last one counts.

    Raises:
        JsonError: it is not JSON, nests deeper than 200 levels, or has a number that no Decimal holds.
    """
    try:
        document = json.loads(text, parse_int=Decimal, parse_float=Decimal, parse_constant=_no_constant)
        _check_depth(document, MAX_DEPTH)
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise JsonError(str(error) or type(error).__name__) from error
    return document


def readable(text: bytes | None) -> Any:
    """Return the document in `text` for people to see; UNDEFINED when there is none, or none that can be read."""
    try:
        return UNDEFINED if text is None else read_document(text)
    except JsonError:
        return UNDEFINED


def decision_in(body: bytes) -> Any:
    """Return the decision in the body of an answer of OPA's data API; UNDEFINED when there is no result.

    Raises:
        JsonError: it is not such a body.
    """
    members = read_document(body)
    if not isinstance(members, dict):
        raise JsonError("the answer is not a JSON object")
    return members.get("result", UNDEFINED)


def canonical(document: Any) -> str:
    """Return the text that equal documents have in common: keys sorted, no white space, numbers by worth."""
    if document is UNDEFINED:
        return ""
    if isinstance(document, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{canonical(document[key])}" for key in sorted(document)) + "}"
    if isinstance(document, list):
        return "[" + ",".join(map(canonical, document)) + "]"
    return canonical_number(document) if isinstance(document, Decimal) else json.dumps(document)


def canonical_number(number: Decimal) -> str:
    """Return the shortest way to write `number` as digits and an exponent: 1, 1.0 and 10e-1 are all `1e0`."""
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise JsonError("not a number")
    text = "".join(map(str, digits)).lstrip("0")
    short = text.rstrip("0")
    if not short:
        return "0e0"
    return f"{'-' if sign else ''}{short}e{exponent + len(text) - len(short)}"


def _check_depth(document: Any, left: int) -> None:
    if left < 0:
        raise JsonError(f"it nests deeper than {MAX_DEPTH} levels")
    if isinstance(document, dict):
        document = document.values()
    elif not isinstance(document, list):
        return
    for member in document:
        _check_depth(member, left - 1)


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")
