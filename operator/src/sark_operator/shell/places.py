"""Places for requests that may be under way at once, and the lines of those that wait for one: what is urgent comes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sark_operator.shell import standing
from sark_operator.shell.two_lines import TwoLines


class Places:
    """A semaphore with two lines. Who waits in the usual one moves up when its evaluation becomes urgent."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._lines = TwoLines[asyncio.Future[None]]()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Have one of the places, waiting for it in the line that the evaluation under way belongs in."""
        await self._entered()
        try:
            yield
        finally:
            self._leave()

    async def _entered(self) -> None:
        if self._free > 0:  # then nobody waits
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        ours = standing.ours()
        self._lines.join(turn, urgent=ours.urgent)

        def move_up() -> None:
            if self._lines.has(turn):
                self._lines.join(turn, urgent=True)

        try:
            with ours.in_line(move_up):
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled():  # it was let in while it gave up
                self._leave()
            self._lines.quit(turn)
            raise

    def _leave(self) -> None:
        """Give a place back, to the next that still waits."""
        self._free += 1
        while self._free > 0 and (turn := self._lines.next()) is not None:
            if not turn.done():
                self._free -= 1
                turn.set_result(None)
