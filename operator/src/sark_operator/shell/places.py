"""Places for requests that may be under way at once, and the lines of those that wait for one: what is urgent comes first."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sark_operator.shell import standing

MOST_IN_A_ROW: Final = 8
"""Places given to urgent ones before one that is not: where everything is urgent, nothing is forgotten."""


class Places:
    """A semaphore with two lines. Who waits in the usual one moves up when its evaluation becomes urgent."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._lines: dict[bool, OrderedDict[asyncio.Future[None], None]] = {True: OrderedDict(), False: OrderedDict()}
        """Those that wait, by whether they are urgent."""
        self._in_a_row = 0
        """Urgent ones let in since one that was not."""

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Have one of the places, waiting for it in the line that the evaluation under way belongs in."""
        await self._entered()
        try:
            yield
        finally:
            self._free += 1
            self._let_in()

    async def _entered(self) -> None:
        if self._free > 0:  # then nobody waits
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        ours = standing.ours()
        self._lines[ours.urgent][turn] = None

        def move_up() -> None:
            if self._lines[False].pop(turn, turn) is None:
                self._lines[True][turn] = None

        try:
            with ours.in_line(move_up):
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled():  # it was let in while it gave up
                self._free += 1
                self._let_in()
            for line in self._lines.values():
                line.pop(turn, None)
            raise

    def _let_in(self) -> None:
        while self._free > 0:
            preferred = self._in_a_row < MOST_IN_A_ROW
            line = self._lines[preferred] or self._lines[not preferred]
            if not line:
                return
            turn, _ = line.popitem(last=False)
            if turn.done():
                continue
            self._in_a_row = self._in_a_row + 1 if line is self._lines[True] else 0
            self._free -= 1
            turn.set_result(None)
