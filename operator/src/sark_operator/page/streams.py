"""Server-sent events: few streams, none of them old, each message only when something has changed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

MAX_STREAMS: Final = 32
"""Streams open at the same time; one more is told to come back later."""
STREAM_SECONDS: Final = 600.0
"""A stream is ended when it is this old; the browser opens another one, and is asked again who it is."""
LOOK_SECONDS: Final = 1.0
"""Time between two looks for something new."""
QUIET_SECONDS: Final = 15.0
"""After so long without a message one without content is sent: proxies keep the connection, and both ends notice a dead one.

Not a comment, which the browser's scripts are not told of. The page takes three times as long a silence for a lost connection.
"""
RETRY_MS: Final = 1000
BUSY_RETRY_MS: Final = 15_000
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
"""What ends a line of an event stream. A label or a query may hold any of them, and the rest of its line would be lost."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What is to be seen now; two frames with one mark are the same."""

    mark: object
    name: str
    """Name of the event; empty for one that replaces what is shown."""
    data: str


Look = Callable[[], AsyncGenerator[Frame, None]]
"""Gives what is to be seen, what is known at once before what has to be waited for."""


class NotLetInError(Exception):
    """Whoever looks may do so no longer."""


class Streams:
    """All open streams."""

    def __init__(self) -> None:
        self._open = 0
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End all streams soon."""
        self._closing.set()

    async def follow(self, look: Look) -> AsyncIterator[bytes]:
        """Yield messages until the stream is old, the page ends, or `look` raises `NotLetInError`."""
        if self._open >= MAX_STREAMS:
            yield message("busy", "too many viewers", retry=BUSY_RETRY_MS)
            return
        self._open += 1
        try:
            async with aclosing(self._messages(look)) as messages:
                async for each in messages:
                    yield each
        except NotLetInError:
            return
        finally:
            self._open -= 1

    async def _messages(self, look: Look) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        end, spoken = loop.time() + STREAM_SECONDS, loop.time()
        yield message("open", "live", retry=RETRY_MS)
        sent: dict[str, object] = {}
        while loop.time() < end and not self._closing.is_set():
            async with aclosing(look()) as frames:
                async for frame in frames:
                    if sent.get(frame.name) != frame.mark:
                        sent[frame.name] = frame.mark
                        spoken = loop.time()
                        yield message(frame.name, frame.data)
            if loop.time() - spoken >= QUIET_SECONDS:
                spoken = loop.time()
                yield message("beat", "")
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._closing.wait()
            except TimeoutError:
                continue


def message(name: str, data: str, *, retry: int | None = None) -> bytes:
    """Return one message in the form of the event stream."""
    lines = [f"retry: {retry}"] if retry is not None else []
    lines += [f"event: {name}"] if name else []
    lines += [f"data: {line}" for line in _LINE_END.split(data)]
    return ("\n".join(lines) + "\n\n").encode()
