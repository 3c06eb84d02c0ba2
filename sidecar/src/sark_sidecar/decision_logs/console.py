"""Events on standard output, one line each, in the shape of OPA's console log. A reader that has stopped stops nobody."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable
from typing import Any

import structlog

from .backlog import Backlog

log = structlog.get_logger()
BATCH_BYTES = 262_144
_PIPE_BYTES = 4096
"""A pipe that can be written to has room for so much."""
_LOOK_SECONDS = 0.2
_IDLE_SECONDS = 0.05
_BROKEN_SECONDS = 1.0


class Console:
    """Writes events to a descriptor."""

    name = "console"

    def __init__(self, descriptor: int, *, buffer_bytes: int, on_loss: Callable[[str, int], None]) -> None:
        """`on_loss` is told the reason and the number of events that were not written."""
        self._descriptor = descriptor
        self._waiting = Backlog(buffer_bytes)
        self._on_loss = on_loss
        self._written = 0
        self._stops = False
        self._under_way = 0
        self._problem = ""
        self._in_a_line = False
        """Whether what was written last is a part of a line."""

    def offer(self, events: list[bytes]) -> None:
        """Let events wait to be written."""
        if gone := self._waiting.add(events):
            self._on_loss("buffer", gone)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            events = self._waiting.take(BATCH_BYTES)
            if not events:
                await asyncio.sleep(_IDLE_SECONDS)
                continue
            await self._write(events)

    async def finish(self) -> None:
        """Write what waits; the caller sets the time there is for it."""
        while self.pending():  # noqa: ASYNC110 - it is over soon
            await asyncio.sleep(_IDLE_SECONDS)

    def stop(self) -> None:
        """Let a thread that waits for a reader end."""
        self._stops = True

    def pending(self) -> int:
        """Return how many events are not written yet."""
        return len(self._waiting) + self._under_way

    def status(self) -> dict[str, Any]:
        """Return the part of the status page."""
        return {"written": self._written, "waiting_bytes": self._waiting.size, "problem": self._problem}

    async def _write(self, events: list[bytes]) -> None:
        # The part of a line that could not be ended is lost; an event glued to it would be as well.
        text = b"\n" * self._in_a_line + b"".join(console_line(event) for event in events)
        self._under_way = len(events)
        try:
            await asyncio.to_thread(write_all, self._descriptor, text, stops=lambda: self._stops, wrote=self._wrote)
        except (OSError, InterruptedError) as error:
            self._on_loss("unsent", len(events))
            problem = f"standard output: {error.strerror or error}"
            if problem != self._problem:
                log.error("decisions cannot be written", reason=problem)  # noqa: TRY400 - the reason is the whole story
            self._problem = problem
            await asyncio.sleep(_BROKEN_SECONDS)
        else:
            self._written += len(events)
            self._problem = ""
        finally:
            self._under_way = 0

    def _wrote(self, text: bytes) -> None:
        self._in_a_line = not text.endswith(b"\n")


def console_line(event: bytes) -> bytes:
    """Return the event as OPA's console log has it."""
    return b'{"level":"info","msg":"Decision Log","type":"openpolicyagent.org/decision_logs",' + event[1:] + b"\n"


def write_all(
    descriptor: int, text: bytes, *, stops: Callable[[], bool], wrote: Callable[[bytes], None] = lambda _: None
) -> None:
    """Write, never blocking for longer than it takes to notice `stops`. Each part that is written is told to `wrote`.

    Raises:
        OSError: nobody reads it any more, or the disk is full.
        InterruptedError: it was stopped first.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    at = 0
    while at < len(text):
        ready = poll.poll(_LOOK_SECONDS * 1000)
        if stops() and not ready:
            raise InterruptedError("its reader has stopped")
        if ready:
            written = os.write(descriptor, text[at : at + _PIPE_BYTES])
            wrote(text[at : at + written])
            at += written
