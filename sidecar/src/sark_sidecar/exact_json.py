"""JSON without loss: numbers keep every digit, and equal documents have equal bytes.

orjson is fast but reads `12345678901234567890123` as a float, so two different ids could become one question. Documents with
such numbers take the slower way, where each number keeps its spelling.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

_LONG_NUMBER = re.compile(rb"[0-9][0-9.]{15}|[0-9][eE][-+0-9]|\.[0-9]+0(?![0-9])|-0(?![.0-9])|0\.000")
"""What could be a number that a float or a 64-bit integer does not hold exactly, or whose spelling it does not (`12.50`, `-0`);
text that looks like one only costs time."""
_SAFE_DIGITS = 18


class JsonError(ValueError):
    """The text is not JSON, has a member twice where that is refused, or nests too deeply."""


def loads(text: bytes | str) -> Any:
    """Return the document in `text`; of a member that appears twice the last one counts, as for OPA.

    Raises:
        JsonError: it is not JSON.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        value = orjson.loads(raw)
        return json.loads(raw, parse_int=_integer, parse_float=_number) if _LONG_NUMBER.search(raw) else value
    except (ValueError, RecursionError) as error:
        raise JsonError(str(error)) from error


def loads_unique(text: str) -> Any:
    """As `loads`, but a member that appears twice is refused: for files that people write."""
    try:
        orjson.loads(text)
        return json.loads(text, parse_int=_integer, parse_float=_number, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise JsonError(str(error)) from error


def dumps(value: Any) -> bytes:
    """Return `value` with its keys sorted and without white space.

    Raises:
        JsonError: it nests deeper than 254 levels.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise JsonError("it nests deeper than 254 levels" if "ecursion" in str(error) else str(error)) from error


def _integer(text: str) -> Any:
    return int(text) if len(text) <= _SAFE_DIGITS and text != "-0" else orjson.Fragment(text.encode())


def _number(text: str) -> Any:
    return orjson.Fragment(text.encode())


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise ValueError(f"member {key!r} appears twice")
        members[key] = value
    return members
