"""What takes long to reckon, in pieces: between them the event loop does whatever else there is to do.

A fleet of thousands of pods has a trend for each, seconds in all. In one piece these would keep every other rollout from being
looked at, and the probes from being answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Final

PIECE_SECONDS: Final = 0.02
"""How long a piece takes, but for the step that ends it."""


class Pieces:
    """Those of all who reckon. In one event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def reckon(self, steps: Iterator[object]) -> None:
        """Go through all `steps`.

        What is done in one piece is done at once. Whoever needs more takes turns with the others who do, so that the loop has
        one piece at a time between all else, however many they are.
        """
        while not _are_done(steps):
            async with self._turn:
                await asyncio.sleep(0)


def _are_done(steps: Iterator[object]) -> bool:
    """Take steps for as long as a piece lasts; return whether there are no more."""
    end = time.monotonic() + PIECE_SECONDS
    return all(time.monotonic() < end for _ in steps)
