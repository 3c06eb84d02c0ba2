"""Whose answer is taken in next, of those that one server has begun to send.

One at a time: else sixteen answers of tens of megabytes would be in memory while each waits to be read. The server waits
meanwhile, since nothing is taken from its connection. A server that stalls has its own answers wait, and nobody else's.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from sark_operator.shell.desk import Desk
from sark_operator.shell.precedence import Precedence


@dataclass(slots=True)
class _Server:
    desk: Desk = field(default_factory=Desk)
    come: int = 0
    """Who waits or has the turn."""


class Turns:
    """One turn for each server. For threads; whoever has entered has to leave."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: dict[str, _Server] = {}

    def enter(self, server: str, deadline: float, precedence: Precedence) -> bool:
        """Wait for the turn until `deadline` (monotonic seconds), in order of `precedence`; return whether it is ours."""
        with self._lock:
            mine = self._servers.setdefault(server, _Server())
            mine.come += 1
        entered = mine.desk.enter(deadline, server, precedence)
        if not entered:
            self._go(server)
        return entered

    def leave(self, server: str) -> None:
        """Let the next one in."""
        self._servers[server].desk.leave()
        self._go(server)

    def _go(self, server: str) -> None:
        with self._lock:
            mine = self._servers[server]
            mine.come -= 1
            if not mine.come:
                del self._servers[server]
