"""Evaluations begin one after another: a thousand that are due at once must not all be under way at once.

All under way together, each waits for the requests of all others at every step, and what each has read lies in memory for as
long. So few are under way together, and the next one begins when one has ended. One Prometheus that hangs must not stop the
rollouts of all others, though: whoever has waited for long gives up its place, and goes on without one.

The next one also waits until the loop has come round, so that the loop stays free to answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

SPACING_SECONDS: Final = 0.005
PLACES: Final = 80
"""Evaluations under way that were not given up waiting for: more than there are requests at once (see `cluster`). With a
thousand rollouts fewer make them late, and more take memory while Prometheus tells of a window that is over."""
LONGEST_SECONDS: Final = 2.5
"""How long an evaluation keeps its place. Where all hang, so many as there are places begin in this time all the same."""


class Pacer:
    """Gives turns, in the order in which they are asked for."""

    def __init__(
        self,
        spacing_seconds: float = SPACING_SECONDS,
        *,
        places: int = PLACES,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> None:
        self._spacing_seconds = spacing_seconds
        self._longest_seconds = longest_seconds
        self._taking = asyncio.Lock()
        self._free = asyncio.Semaphore(places)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and hold its place for what is done in the context, or for as long as one may."""
        async with self._taking:
            await self._free.acquire()
            place = _Place(self._free)
            try:
                await asyncio.sleep(self._spacing_seconds)
            except BaseException:
                place.leave()
                raise
        given_up = asyncio.get_running_loop().call_later(self._longest_seconds, place.leave)
        try:
            yield
        finally:
            given_up.cancel()
            place.leave()


class _Place:
    """A place that is left once."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free: asyncio.Semaphore | None = free

    def leave(self) -> None:
        free, self._free = self._free, None
        if free is not None:
            free.release()
