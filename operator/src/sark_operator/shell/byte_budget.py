"""How many bytes of answers there may be in memory at once, whoever sends them.

An answer has a limit of its own, and of each server one is taken in at a time. But there may be many servers, and one that
sends nearly as much as it may and then stalls would hold all of it until its time is over. So a reader takes room before it
keeps a piece, and waits where there is none. Each server has some bytes that no other can take from it.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import Final

MOST: Final = 96 * 1024 * 1024
"""Bytes of all answers together, above what each server has for itself."""
OF_A_SERVER: Final = 8 * 1024 * 1024
"""Bytes that each server has for itself: about what one question about a thousand rollouts is answered with."""


class ByteBudget:
    """Bytes by server. For threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken: defaultdict[str, int] = defaultdict(int)

    def take(self, server: str, size: int, deadline: float) -> bool:
        """Take `size` bytes, waiting until `deadline` (monotonic seconds) for them; return whether they are the caller's."""
        with self._changed:
            taken = self._changed.wait_for(lambda: self._fits(server, size), max(0.0, deadline - time.monotonic()))
            if taken:
                self._taken[server] += size
            return taken

    def give(self, server: str, size: int) -> None:
        """Give back what was taken."""
        with self._changed:
            self._taken[server] -= size
            if not self._taken[server]:
                del self._taken[server]
            self._changed.notify_all()

    def _fits(self, server: str, size: int) -> bool:
        mine = self._taken.get(server, 0) + size
        if mine <= OF_A_SERVER:
            return True
        beyond = sum(max(0, taken - OF_A_SERVER) for name, taken in self._taken.items() if name != server)
        return beyond + mine - OF_A_SERVER <= MOST
