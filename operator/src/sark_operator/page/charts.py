"""The curves one viewer has: those that have come, for as long as newer ones are on their way."""

from __future__ import annotations

import asyncio
from typing import Final

from sark_operator.shell.clock import Clock
from sark_operator.shell.shared_answers import Coming

from .figures import Figures
from .view.curves import Curves, Mismatch
from .view.seen import Seen
from .view.span import Span

LATE_SECONDS: Final = 5.0
"""Curves that are asked for so long are said to be late."""
PATIENCE_SECONDS: Final = 0.5
"""How long a look waits for them, when all else has been shown."""
_MISSING: Final = "Prometheus has not answered yet, so there are no curves."
_OLD: Final = "Prometheus has not answered for some time: the curves are older than the rest of this page."


class Charts:
    """They follow one rollout, over the stretch its viewer has chosen."""

    def __init__(self, figures: Figures, clock: Clock, span: Span) -> None:
        """Take them from `figures`."""
        self._figures = figures
        self._clock = clock
        self._span = span
        self._uid = ""
        self._coming: Coming[Curves] | None = None
        self._curves: Curves | None = None

    @property
    def mismatches(self) -> tuple[Mismatch, ...]:
        """Different decisions, as far as they are known."""
        return self._curves.mismatches if self._curves else ()

    def follow(self, seen: Seen) -> None:
        """Ask for the curves of the rollout as it is now, where they are not there or under way, and take what has come."""
        self._take()
        if self._uid != seen.uid and self._curves is not None:
            self._curves = Curves()  # another one of the same name, of which nothing is known
        self._uid = seen.uid
        self._coming = self._figures.of(seen, self._span)
        self._take()

    async def newest(self) -> Curves | None:
        """Return the newest curves, for which it waits a moment; None before the first."""
        if self._coming is not None and not self._coming.task.done():
            await asyncio.wait([self._coming.task], timeout=PATIENCE_SECONDS)
            self._take()
        return self._curves

    def lateness(self) -> str:
        """Return that the curves are old or missing because no answer comes, one sentence; nothing where that is not so."""
        coming, curves = self._coming, self._curves
        if coming is None or coming.task.done() or self._clock.monotonic() - coming.asked_at < LATE_SECONDS:
            return ""
        if curves is not None and curves.curves:
            return _OLD
        return "" if curves is not None and curves.problem else _MISSING

    def _take(self) -> None:
        if self._coming is not None and self._coming.task.done() and not self._coming.task.cancelled():
            self._curves = self._coming.task.result()
