"""A pause that can be cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Nudge:
    """Ends the pause that is under way, or the next one."""

    def __init__(self) -> None:
        """Let pauses be as long as they are."""
        self._event = asyncio.Event()

    def give(self) -> None:
        """Cut the pause short."""
        self._event.set()

    async def cut(self, pause: Coroutine[Any, Any, None]) -> None:
        """Wait for `pause`, or for a nudge."""
        pausing = asyncio.ensure_future(pause)
        nudged = asyncio.ensure_future(self._event.wait())
        try:
            await asyncio.wait({pausing, nudged}, return_when=asyncio.FIRST_COMPLETED)
            if pausing.done():
                pausing.result()
        finally:
            pausing.cancel()
            nudged.cancel()
            await asyncio.gather(pausing, nudged, return_exceptions=True)
        self._event.clear()
