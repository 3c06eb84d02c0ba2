"""HTTP/1.1 as far as a client of one sidecar needs it: a request written at once, an answer read within bounds. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn
from urllib.parse import quote

from .errors import NoDecisionError, QuestionError

MAX_HEAD_BYTES: Final = 16_384
REFUSALS: Final = 400
"""From this status on an answer says what is wrong; what is below decides."""
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no header holds: of the control characters of ASCII all but the tab."""
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?")
_NESTED: Final = (dict, list, tuple)
_DIGITS: Final = re.compile(rb"[0-9]{1,10}")


class BadAnswerError(NoDecisionError):
    """The other side does not speak HTTP as a sidecar does, or answers more than is taken."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer."""

    status: int
    length: int
    """Of the body, in bytes."""
    closes: bool
    """Whether the connection ends with this answer."""


def header_name(name: str) -> str:
    """Return `name`, which a header may have.

    Raises:
        ValueError: none may.
    """
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a header; it looks like X-Subject")
    return name


def request(path: str, host: str, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Return the request that asks for the decision at `path`, as in `authz/allow`; `headers` have names that they may have.

    Raises:
        QuestionError: the path or the value of a header cannot be sent.
    """
    segments = [segment for segment in path.split("/") if segment]
    if not segments or any(segment in {".", ".."} for segment in segments):
        raise QuestionError(f"{path!r} is no path of a decision; it looks like authz/allow")
    try:
        target = "/v1/data/" + "/".join(quote(segment, safe="") for segment in segments)
        # As every other place a subject is named in: else one with an accent would be in another arm there.
        more = "".join(f"{name}: {_value(value)}\r\n" for name, value in headers).encode()
    except UnicodeEncodeError as error:
        raise QuestionError(f"the path or a header cannot be sent: {error}") from error
    head = f"POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return b"".join((head.encode("ascii"), more, b"\r\n", body))


def question(document: Any) -> bytes:
    """Return the body that asks about `document`, or about its JSON text when it is bytes.

    Raises:
        QuestionError: it has no form in JSON, or is no JSON document.
    """
    if isinstance(document, bytes):
        # What stands behind a document would be read as members beside it, another input among them.
        try:
            _READER.decode(document.decode())
        except (ValueError, RecursionError) as error:
            raise QuestionError(f"the input is not one JSON document: {error}") from error
        return b'{"input":' + document + b"}"
    try:
        plain = _plain(document) if isinstance(document, _NESTED) else document
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return b'{"input":' + text.encode() + b"}"
    except (TypeError, ValueError, RuntimeError) as error:
        # One of the last kind: another thread changes it meanwhile, or it is too deep.
        raise QuestionError(f"the input is not JSON: {error}") from error


def answer(body: bytes) -> Any:
    """Return the document in `body`.

    Raises:
        BadAnswerError: it is not JSON.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadAnswerError(f"the answer is not JSON: {error}") from error


def head(raw: bytes, max_body: int) -> Head:
    """Return what the head of an answer, without its empty line, says.

    Raises:
        BadAnswerError: it is no such head, or its body has more than `max_body` bytes.
    """
    first, *lines = raw.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise BadAnswerError("the answer is not HTTP/1.1")
    if status[1].startswith(b"1"):
        # Not the answer yet, whatever length it names: that would be left to the next question.
        raise BadAnswerError("the sidecar answered with what comes before an answer")
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        key = name.lower()
        if not colon or (key == b"content-length" and key in fields):
            raise BadAnswerError("the answer has a header that is none")
        fields[key] = value.strip()
    if b"transfer-encoding" in fields or b"content-encoding" in fields:
        raise BadAnswerError("the answer comes in an encoding that was not asked for")
    length = fields.get(b"content-length", b"")
    if not _DIGITS.fullmatch(length):
        raise BadAnswerError("the answer does not say how long it is")
    if int(length) > max_body:
        raise BadAnswerError(f"the answer has {int(length)} bytes; at most {max_body} are taken")
    closes = fields.get(b"connection", b"").lower() == b"close" or first.startswith(b"HTTP/1.0")
    return Head(int(status[1]), int(length), closes)


def _plain(value: Any) -> Any:
    """Return a copy, so that what is sent is what was looked at, also when another thread changes it meanwhile.

    Keys that are no text are refused: `json` would make texts of them, and of 1 and "1" the same one.
    """
    if not isinstance(value, dict):
        return [_plain(member) if isinstance(member, _NESTED) else member for member in list(value)]
    members: dict[str, Any] = value.copy() if type(value) is dict else dict(value.items())
    for key, member in members.items():
        if not isinstance(key, str):
            raise QuestionError(f"the input has the key {key!r}, which is no text; in JSON every key is one")
        if isinstance(member, _NESTED):
            members[key] = _plain(member)
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


_READER: Final = json.JSONDecoder(parse_constant=_refuse_constant)


def _value(value: str) -> str:
    if _CONTROL.search(value):
        raise QuestionError("the value of a header, as of the subject's, must be one line without control characters")
    return value
