"""An answer to a request: OPA's shapes, and the word for what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import orjson

Outcome = Literal["allow", "deny", "undefined", "error"]

NO_STORE = "no-store"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client gets, and how it is counted."""

    status: int
    body: bytes
    outcome: Outcome
    keep: bool = False
    """Whether it is a genuine decision that a cache may keep."""


def decision(result: bytes, value: Any, *, keep: bool = False) -> Answer:
    """Return the answer whose result is the JSON `result`, parsed as `value`; how exactly its numbers are does not matter."""
    return Answer(200, b'{"result":' + result + b"}\n", outcome_of(value), keep)


UNDEFINED = Answer(200, b"{}\n", "undefined")
"""OPA's answer where a path has no value: no `result`."""


def error(status: int, code: str, message: str) -> Answer:
    """Return an error in OPA's shape; never an allow."""
    return Answer(status, orjson.dumps({"code": code, "message": message}) + b"\n", "error")


def outcome_of(value: Any) -> Outcome:
    """Return what a result means: `true`, or an object whose `allow` is `true`, allows; every other one denies."""
    allowed = value.get("allow") is True if isinstance(value, dict) else value is True
    return "allow" if allowed else "deny"
