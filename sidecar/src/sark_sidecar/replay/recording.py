"""Recorded requests, read as a stream: OPA's decision logs as its console writes them or as it uploads them, or plain lines.

Accepted, each also compressed with gzip: one JSON object a line, and a JSON array of objects. Never more than one batch of them
is held, however long the recording is.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from sark_sidecar import exact_json
from sark_sidecar.exact_json import JsonError

MAX_EVENT_BYTES: Final = 16_777_216
"""A longer one is not read."""
_CHUNK = 65_536
_GZIP = b"\x1f\x8b"
_NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded request."""

    place: str
    """Where it stands, for people: file and number of the line or the array's member."""
    path: str
    input: bytes | None
    """JSON text; None when it had none."""
    result: bytes | None
    """The recorded decision as JSON text; None when there was none."""
    is_result_known: bool
    """Whether the recorded decision, be it none, is what was decided: no error, nothing erased or masked in it."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A record that cannot be put to the arms."""

    place: str
    reason: str
    """One of `unreadable`, `too_large`, `masked`, `query`, `not_a_decision`."""


class RecordingError(Exception):
    """The recording cannot be read; the message names the file."""


def read_recording(file: str) -> Iterator[Recorded | Unusable]:
    """Yield what is recorded in `file`; `-` is standard input.

    Raises:
        RecordingError: the file cannot be read or is damaged; what came before has been yielded.
    """
    name = "standard input" if file == "-" else file
    try:
        with _opened(file) as stream:
            for place, text in _events(stream):
                yield _record(f"{name}, {place}", text)
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise RecordingError(f"{name}: {reason}") from error
    except _Damaged as error:
        raise RecordingError(f"{name}: {error}") from error


class _Damaged(ValueError):  # noqa: N818 - the file's state
    """What is left of the file cannot be taken apart."""


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    with ExitStack() as stack:
        raw = sys.stdin.buffer if file == "-" else stack.enter_context(Path(file).open("rb"))
        # Both are buffered readers, which can look ahead.
        is_compressed = cast("io.BufferedReader", raw).peek(len(_GZIP))[: len(_GZIP)] == _GZIP
        yield cast("BinaryIO", stack.enter_context(gzip.GzipFile(fileobj=raw))) if is_compressed else raw


def _events(stream: BinaryIO) -> Iterator[tuple[str, bytes | None]]:
    """Yield place and text of each event; None for one that is too long."""
    first = stream.read(1)
    while first.isspace():
        first = stream.read(1)
    if first == b"[":
        yield from _members(stream)
    elif first:
        yield from _lines(first, stream)


def _lines(first: bytes, stream: BinaryIO) -> Iterator[tuple[str, bytes | None]]:
    number = 0
    while line := first + stream.readline(MAX_EVENT_BYTES):
        number += 1
        first = b""
        whole = len(line) < MAX_EVENT_BYTES or line.endswith(b"\n")
        while not line.endswith(b"\n") and (rest := stream.readline(_CHUNK)):
            line = rest
        if not whole or line.strip():
            yield f"line {number}", line if whole else None


def _members(stream: BinaryIO) -> Iterator[tuple[str, bytes | None]]:
    """The members of an array whose opening bracket has been read."""
    decoder, text, number = json.JSONDecoder(), "", 0
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    while True:
        text = text.lstrip(" \t\r\n,")
        if text.startswith("]"):
            return
        try:
            end = decoder.raw_decode(text)[1] if text else 0
        except (ValueError, RecursionError):
            end = 0
        # A number or a word may go on in the next chunk, but a member is an object.
        if end == 0:
            if len(text) > MAX_EVENT_BYTES:
                raise _Damaged(f"member {number + 1} of the array is not JSON, or longer than {MAX_EVENT_BYTES} bytes")
            # Twice as much each time, so that a long member is not parsed again for every chunk.
            more = stream.read(max(_CHUNK, len(text)))
            if not more:
                raise _Damaged(f"the array ends within member {number + 1}")
            text += decode(more)
            continue
        number += 1
        yield f"member {number}", text[:end].encode("utf-8", "surrogatepass")
        text = text[end:]


def _record(place: str, text: bytes | None) -> Recorded | Unusable:
    if text is None:
        return Unusable(place, "too_large")
    try:
        event = exact_json.loads(text)
    except JsonError:
        return Unusable(place, "unreadable")
    if not isinstance(event, dict) or not isinstance(event.get("path"), str):
        is_query = isinstance(event, dict) and isinstance(event.get("query"), str)
        return Unusable(place, "query" if is_query else "not_a_decision")
    hidden = [pointer for key in ("erased", "masked") for pointer in _pointers(event.get(key))]
    if any(_is_below(pointer, "/input") for pointer in hidden):
        # What the arms would be asked is not what was asked.
        return Unusable(place, "masked")
    try:
        given, result = (_text(event.get(key, _NOTHING)) for key in ("input", "result"))
    except JsonError:
        return Unusable(place, "unreadable")
    if given == b"null":
        # OPA's server takes a null input for none, and so does the sidecar.
        given = None
    known = not event.get("error") and not any(_is_below(pointer, "/result") for pointer in hidden)
    return Recorded(place, _decision_path(event["path"]), given, result, is_result_known=known and _has_result(event))


def _has_result(event: dict[str, Any]) -> bool:
    """A decision log says that there was no result by leaving it out; a plain line without one says nothing."""
    return "result" in event or "decision_id" in event


def _text(value: Any) -> bytes | None:
    return None if value is _NOTHING else exact_json.dumps(value)


def _pointers(value: object) -> list[str]:
    return [pointer for pointer in value if isinstance(pointer, str)] if isinstance(value, list) else []


def _is_below(pointer: str, root: str) -> bool:
    return pointer == root or pointer.startswith(root + "/")


def _decision_path(path: str) -> str:
    """`authz/allow`, `/authz/allow` and `/v1/data/authz/allow` are one path."""
    segments = [segment for segment in path.split("/") if segment]
    return "/".join(segments[2:] if segments[:2] == ["v1", "data"] else segments)
