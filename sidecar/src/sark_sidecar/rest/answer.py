"""An answer to a request that is no question for an arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

JSON = (("Content-Type", "application/json"),)


@dataclass(frozen=True, slots=True)
class RestAnswer:
    """Status, body and headers."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = JSON


def document(value: Any, *, status: int = 200, pretty: bool = False) -> RestAnswer:
    """Return `value` as JSON, as OPA's encoder ends and indents it."""
    return RestAnswer(status, orjson.dumps(value, option=orjson.OPT_INDENT_2 if pretty else 0) + b"\n")


def problem(status: int, code: str, message: str) -> RestAnswer:
    """Return an error in OPA's shape."""
    return document({"code": code, "message": message}, status=status, pretty=True)
