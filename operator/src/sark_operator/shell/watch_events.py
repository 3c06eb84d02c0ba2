"""What a watch of kopf's is sent, in which nothing ends kopf.

An event of type ERROR ends its watches of all namespaces, unless it says 410; so does a line that is no event. Of each the rest
of a watch can tell nothing more, and what was between is not known: kopf is shown 410 in its place, lists everything again and
goes on from there. It would do so at once and without end, so each time a stream breaks off it is kept waiting for longer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus
from typing import Any, Final

import structlog
from aiohttp import StreamReader

from sark_operator.shell.patience import Patience

EXPIRED: Final = b'{"type":"ERROR","object":{"code":410}}\n'
"""What kopf begins anew for."""
_LONGEST_PROBLEM: Final = 256

_log = structlog.get_logger("sark.watch")


class Breaks:
    """How often each watch has broken off in a row, and how long it is to wait; `failed` is called each time."""

    def __init__(self, failed: Callable[[], None]) -> None:
        self._failed = failed
        self._pauses: dict[str, Iterator[float]] = {}

    def well(self, watch: str) -> None:
        """Take note that a watch has shown something."""
        self._pauses.pop(watch, None)

    async def wait(self, watch: str, problem: str) -> None:
        """Tell that a watch has broken off, and wait until it may begin anew."""
        pause = next(self._pauses.setdefault(watch, iter(Patience(lambda: None))))
        self._failed()
        _log.warning(
            "the watch has broken off: what changes is seen when it begins anew, or when its rollout is due",
            watch=watch,
            problem=problem,
            seconds=round(pause, 1),
        )
        await asyncio.sleep(pause)


class Events:
    """The body of a watch, as kopf reads it: in chunks, which here are whole events."""

    def __init__(self, content: StreamReader, watch: str, breaks: Breaks) -> None:
        self._content = content
        self._watch = watch
        self._breaks = breaks

    def __getattr__(self, name: str) -> Any:
        """Leave to the body itself whatever else is done with it."""
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Yield event after event, until something is none."""
        async for line in _lines(self._content, size):
            if problem := _problem(line):
                await self._breaks.wait(self._watch, problem)
            if problem is not None:
                yield EXPIRED
                return
            self._breaks.well(self._watch)
            yield line + b"\n"


async def _lines(content: StreamReader, size: int) -> AsyncIterator[bytes]:
    """Yield the lines of a body that have something in them."""
    rest = b""
    async for data in content.iter_chunked(size):
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
    if rest.strip():
        yield rest


def _problem(line: bytes) -> str | None:
    """Return why a watch cannot go on after a line: empty where it has only expired, None where the line is an event."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return f"it sent what is not JSON: {_cut(line)}"
    kind, item = (event.get("type"), event.get("object")) if isinstance(event, dict) else (None, None)
    if not isinstance(item, dict):
        return f"it sent what is no event: {_cut(line)}"
    if kind == "ERROR":
        return "" if item.get("code") == HTTPStatus.GONE else f"the API server ended it with an error: {_cut(line)}"
    return None if isinstance(item.get("metadata"), dict) else f"it sent an event without metadata: {_cut(line)}"


def _cut(line: bytes) -> str:
    return line[:_LONGEST_PROBLEM].decode(errors="replace")
