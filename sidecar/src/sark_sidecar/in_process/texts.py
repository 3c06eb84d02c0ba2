"""Questions and answers as JSON: what Python holds and JSON does not is refused, never changed on the way."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

import orjson

from sark_client import NoDecisionError, QuestionError


class Absent:
    """No input, which is not the same as an input of null."""

    def __repr__(self) -> str:
        """Return its name."""
        return "ABSENT"


ABSENT: Final = Absent()
MAX_DEPTH: Final = 200
_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_LONG_NUMBER = re.compile(rb"[0-9]{16}")
"""An integer that a float may not hold: orjson reads one beyond 64 bits as a float."""
_USUAL: Final = {b'{"result":true}\n': {"result": True}, b'{"result":false}\n': {"result": False}, b"{}\n": {}}


def question_body(document: Any) -> bytes:
    """Return the body that asks about `document`: an object, or its JSON text as bytes.

    Raises:
        QuestionError: it has no form in JSON, or is no JSON document.
    """
    if document is ABSENT:
        return b""
    if isinstance(document, bytes):
        # What stands behind a document would be read as members beside it, another input among them.
        try:
            orjson.loads(document)
        except orjson.JSONDecodeError as error:
            raise QuestionError(f"the input is not one JSON document: {error}") from error
        return b'{"input":' + document + b"}"
    return b'{"input":' + _text(document) + b"}"


def answer_members(body: bytes) -> Any:
    """Return the document in `body`, integers exact.

    Raises:
        NoDecisionError: it is not JSON.
    """
    if (usual := _USUAL.get(body)) is not None:
        return usual
    try:
        return json.loads(body) if _LONG_NUMBER.search(body) else orjson.loads(body)
    except (ValueError, RecursionError) as error:
        raise NoDecisionError(f"the answer is not JSON: {error}") from error


def _text(document: Any) -> bytes:
    try:
        text = orjson.dumps(document, None, _STRICT)
    except (orjson.JSONEncodeError, RecursionError):
        # Most likely an integer beyond 64 bits; if it is something else, the slow way says where.
        return _slow_text(document)
    if b"null" in text:
        # It writes null for a number that is none.
        check(document, "input", 0)
    return text


def _slow_text(document: Any) -> bytes:
    try:
        check(document, "input", 0)
        return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RuntimeError) as error:
        # It was in order a moment ago: another thread changes it.
        raise QuestionError(f"the input is not JSON: {error}") from error


def check(value: Any, place: str, depth: int) -> None:
    """Refuse what JSON does not have.

    Raises:
        QuestionError: the message names the place.
    """
    if depth > MAX_DEPTH:
        raise QuestionError(f"{place[:80]} ... is more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        # A copy: another thread may change it meanwhile.
        for key, member in (value.copy() if type(value) is dict else dict(value.items())).items():
            if not isinstance(key, str):
                raise QuestionError(f"{place} has the key {key!r}, which is no text; in JSON every key is one")
            check(key, f"the key {key!r} of {place}", depth)
            check(member, f"{place}.{key}", depth + 1)
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            check(member, f"{place}[{index}]", depth + 1)
    else:
        _check_scalar(value, place)


def _check_scalar(value: Any, place: str) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise QuestionError(f"{place} is {value}, which is no number in JSON")
    elif isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise QuestionError(f"{place} is a text that is not Unicode: it has half of a surrogate pair") from None
    elif not (value is None or isinstance(value, bool | int)):
        kind = type(value).__name__
        raise QuestionError(f"{place} is a {kind}; JSON has objects, arrays, texts, numbers, true, false and null")
