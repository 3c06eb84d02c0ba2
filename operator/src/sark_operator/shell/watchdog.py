"""The last resort of a process that should have stopped: a thread that ends it when its time is up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

_SHORTEST_WAIT: Final = 0.02


class Watchdog:
    """Calls `bite` once when `left` has run out and nobody has called `stop`.

    It runs in a thread of its own, so that an event loop that is stuck cannot keep it from biting.
    """

    def __init__(self, left: Callable[[], float], bite: Callable[[], object]) -> None:
        """Take `left`, the seconds that remain by now, which may be asked from any thread."""
        self._left = left
        self._bite = bite
        self._over = threading.Event()

    def start(self) -> None:
        """Watch from now on."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Watch no longer; may be called more than once."""
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(max(_SHORTEST_WAIT, self._left())):
            if self._left() <= 0:
                self._bite()
                return
