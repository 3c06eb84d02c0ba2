"""The pulse of the event loop that does the work: without it the Lease is not renewed. A leader that does nothing is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sark_operator.shell.clock import Clock


class Pulse:
    """When the working loop last turned over with its evaluations going on. Beaten in that loop, felt in any thread."""

    def __init__(self, clock: Clock, *, limit_seconds: float) -> None:
        """Take `limit_seconds`, the longest time between two beats of a loop that works."""
        self._clock = clock
        self._limit_seconds = limit_seconds
        self._beaten_at = clock.monotonic()

    def beat(self) -> None:
        """Note that the loop has come round."""
        self._beaten_at = self._clock.monotonic()

    def missing(self) -> str:
        """Return why this process must not lead any longer, as a clause; empty while the pulse is felt."""
        since = self._clock.monotonic() - self._beaten_at
        return "" if since <= self._limit_seconds else f"the operator has evaluated nothing for {since:.0f} s"

    async def keep(self, hangs: Callable[[], bool]) -> None:
        """Beat for as long as this task runs, except while `hangs` says that no evaluation comes to its end."""
        while True:
            if not hangs():
                self.beat()
            await asyncio.sleep(self._limit_seconds / 30)
