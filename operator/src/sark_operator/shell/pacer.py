"""Evaluations begin one after another: a thousand that are due at once must not all be under way at once.

All under way together, each waits for the requests of all others at every step, and what each has read lies in memory for as
long. So few are under way together, and the next one begins when one has ended. One Prometheus that hangs must not stop the
rollouts of all others, though: whoever has waited for long gives up its place, and goes on without one.

The next one also waits until the loop has come round, so that the loop stays free to answer. What may have to go back is
evaluated before what is merely due, however many are.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final

from sark_operator.shell.two_lines import TwoLines

SPACING_SECONDS: Final = 0.005
PLACES: Final = 80
"""Evaluations under way that were not given up waiting for: more than there are requests at once (see `cluster`). With a
thousand rollouts fewer make them late, and more take memory while Prometheus tells of a window that is over."""
LONGEST_SECONDS: Final = 2.5
"""How long an evaluation keeps its place. Where all hang, so many as there are places begin in this time all the same."""


class Pacer:
    """Gives turns: urgent ones first, each in the order in which it was asked for."""

    def __init__(
        self,
        spacing_seconds: float = SPACING_SECONDS,
        *,
        places: int = PLACES,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> None:
        self._spacing_seconds = spacing_seconds
        self._longest_seconds = longest_seconds
        self._free = places
        self._lines = TwoLines[Turn]()
        self._spacing: asyncio.TimerHandle | None = None
        """Set while the loop is to come round before the next turn."""

    def turn(self, *, urgent: bool = False) -> Turn:
        """Return a turn that is to be waited for, as the context of what is done in it."""
        return Turn(self, urgent=urgent)

    def join(self, turn: Turn, *, urgent: bool) -> None:
        """Let `turn` wait in a line. It may wait in both: whichever comes first."""
        self._lines.join(turn, urgent=urgent)
        self._give()

    def has(self, turn: Turn) -> bool:
        """Return whether `turn` waits."""
        return self._lines.has(turn)

    def quit(self, turn: Turn) -> None:
        """Let `turn` wait no longer."""
        self._lines.quit(turn)

    def leave(self) -> None:
        """Take back the place of one turn."""
        self._free += 1
        self._give()

    def _give(self) -> None:
        """Let the next one begin, if it may."""
        if self._free <= 0 or self._spacing is not None:
            return
        turn = self._lines.next()
        if turn is None:
            return
        self._free -= 1
        loop = asyncio.get_running_loop()
        self._spacing = loop.call_later(self._spacing_seconds, self._come_round)
        turn.begin(loop.call_later(self._longest_seconds, turn.give_up_place))

    def _come_round(self) -> None:
        self._spacing = None
        self._give()


class Turn:
    """One turn: waited for once, and its place held for what is done in the context, or for as long as one may."""

    def __init__(self, pacer: Pacer, *, urgent: bool) -> None:
        self._pacer = pacer
        self._urgent = urgent
        self._begun = asyncio.Event()
        self._longest: asyncio.TimerHandle | None = None
        """Ends the place it has; None when it has none."""

    def hurry(self) -> None:
        """Let it come before all that are not urgent, if it has not come yet."""
        if not self._urgent and self._pacer.has(self):
            self._pacer.join(self, urgent=True)
        self._urgent = True

    def begin(self, longest: asyncio.TimerHandle) -> None:
        """Hold a place until `longest` gives it up."""
        self._longest = longest
        self._begun.set()

    def give_up_place(self) -> None:
        """Hold no place any more."""
        longest, self._longest = self._longest, None
        if longest is not None:
            longest.cancel()
            self._pacer.leave()

    async def __aenter__(self) -> None:
        self._pacer.join(self, urgent=self._urgent)
        try:
            await self._begun.wait()
        except BaseException:
            self._pacer.quit(self)
            self.give_up_place()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_up_place()
