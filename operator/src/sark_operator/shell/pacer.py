"""Evaluations begin one after another: a thousand that are due at once must not all be under way at once.

A tick waits for servers most of its time, so their number under way is not limited; one Prometheus that hangs would stop the
rollouts of all others. What is spread is their beginning. The next one waits until the loop has come round, so where the loop
is busy they begin as fast as it can carry them, each within the deadlines of its requests, and the loop stays free to answer.
"""

from __future__ import annotations

import asyncio
from typing import Final

SPACING_SECONDS: Final = 0.005


class Pacer:
    """Gives turns, in the order in which they are asked for."""

    def __init__(self, spacing_seconds: float = SPACING_SECONDS) -> None:
        self._spacing_seconds = spacing_seconds
        self._taking = asyncio.Lock()

    async def turn(self) -> None:
        """Wait for a turn."""
        async with self._taking:
            await asyncio.sleep(self._spacing_seconds)
