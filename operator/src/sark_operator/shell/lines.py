"""Lines of what is sent in threads, one for each receiver: whoever is slow or dead holds up nobody but those behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from sark_operator.shell.shares import Shares

PLACES: Final = 4
"""What is sent to one receiver at once."""
_THREADS: Final = 50 * PLACES
"""As many as the most receivers that a file names have places. They begin when they are needed."""


class Lines:
    """Sends in order of arrival to each receiver. A place is taken for as long as its thread is, whoever still waits for it."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="notifier")
        self._lines = Shares(PLACES)
        """By receiver."""

    async def send(self, receiver: str, send: Callable[[], bool], *, seconds: float, may: Callable[[], bool]) -> bool | None:
        """Return what `send` returns, or None where it `may` not be called any more when its turn has come.

        Raises:
            TimeoutError: it took more than `seconds` in its thread; the wait for a place counts for nothing.
            Exception: it raised that.
        """
        loop = asyncio.get_running_loop()
        line = self._lines.of(receiver)
        await line.acquire()
        if not may():
            line.release()
            return None
        sending = self._pool.submit(send)

        def leave(_: object) -> None:
            with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                loop.call_soon_threadsafe(line.release)

        sending.add_done_callback(leave)
        async with asyncio.timeout(seconds):
            return await asyncio.wrap_future(sending)

    def close(self) -> None:
        """Begin nothing more; what is in a thread comes to its end there."""
        self._pool.shutdown(wait=False, cancel_futures=True)
