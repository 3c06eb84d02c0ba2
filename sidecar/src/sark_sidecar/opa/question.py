"""A question as both OPA and the cache see it: one canonical form, so that the key and what is asked cannot differ."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from sark_sidecar import exact_json

KEY_PREFIX = "policy:decision:v2:"
MOST_READ_BYTES = 16_384
"""A larger body is asked as it is written. Reading and writing it anew would take the event loop's time, for a second and more
per MiB of numbers, and whoever sends some of them at once would stop everything else, a rollback included."""
_OPENING, _CLOSING = b'{"input":', b"}"
_MAX_PARAMETERS = 32


class BadQuestion(ValueError):  # noqa: N818 - the client's mistake
    """The request is not a question for OPA; the message says why, for its client."""


@dataclass(frozen=True, slots=True)
class Question:
    """Path, input and parameters of a request."""

    path: str
    input: bytes | None
    """JSON; None when the request has no input, which is not the same as null."""
    parameters: str = ""
    """Query string for OPA (`metrics=true`); a question with parameters is neither kept nor answered from a cache."""
    is_canonical: bool = True
    """Whether equal inputs are equal bytes here; only then it has a key."""

    @property
    def segments(self) -> tuple[str, ...]:
        """The path below `data`."""
        return tuple(segment for segment in self.path.split("/") if segment)

    @property
    def url_path(self) -> str:
        """The path of the request to OPA."""
        return "/v1/data" + "".join(f"/{quote(segment, safe='')}" for segment in self.segments)

    @property
    def body(self) -> bytes:
        """The body of the request to OPA."""
        return b"{}" if self.input is None else b'{"input":' + self.input + b"}"

    def key(self, policy_revision: str, lifetimes: str) -> str:
        """Return the key of its decision under the policies with this revision, kept by this table of lifetimes.

        Every field is preceded by its length, so that no two questions share one.
        """
        hasher = hashlib.sha256()
        absent = b"" if self.input is None else b"input"
        for part in (policy_revision.encode(), lifetimes.encode(), "/".join(self.segments).encode(), absent, self.input or b""):
            hasher.update(len(part).to_bytes(8, "big"))
            hasher.update(part)
        return KEY_PREFIX + hasher.hexdigest()


def parse_question(path: str, body: bytes, query: str) -> Question:
    """Return the question in a request.

    A large body must be what the data plane hands over: the text of an input that it has found to be JSON, as `{"input":...}`.

    Raises:
        BadQuestion: the body is no JSON object, or the path has a segment that HTTP would swallow.
    """
    if any(segment in {".", ".."} for segment in path.split("/")):
        raise BadQuestion("a segment of the path must not be `.` or `..`")
    parameters, asked = _parameters(query)
    if len(body) > MOST_READ_BYTES:
        return Question(path, _as_written(body), parameters, is_canonical=False)
    if body.strip():
        members = _parse(body, "body")
        if not isinstance(members, dict):
            raise BadQuestion('the body must be a JSON object such as {"input": {...}}')
        return Question(path, _canonical(members["input"]) if "input" in members else None, parameters)
    return Question(path, None if asked is None else _canonical(_parse(asked, "query parameter input")), parameters)


def _as_written(body: bytes) -> bytes:
    if not (body.startswith(_OPENING) and body.endswith(_CLOSING)):
        raise BadQuestion("body contains malformed input document: it is large, and not the data plane's")
    return body[len(_OPENING) : -len(_CLOSING)]


def _parameters(query: str) -> tuple[str, str | None]:
    if not query:
        return "", None
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        raise BadQuestion(f"the query string has more than {_MAX_PARAMETERS} parameters") from error
    asked = next((value for name, value in pairs if name == "input"), None)
    return urlencode([(name, value) for name, value in pairs if name != "input"]), asked


def _parse(text: bytes | str, where: str) -> Any:
    try:
        return exact_json.loads(text)
    except exact_json.JsonError as error:
        raise BadQuestion(f"{where} contains malformed input document: {error}") from error


def _canonical(value: Any) -> bytes:
    try:
        return exact_json.dumps(value)
    except exact_json.JsonError as error:
        raise BadQuestion(f"input: {error}") from error
