"""Events that wait for one sink: bounded in bytes, and the oldest go first when there is no room."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class Backlog:
    """A queue of events, each one line of JSON."""

    def __init__(self, limit: int) -> None:
        """Hold at most `limit` bytes."""
        self._limit = limit
        self._events: deque[bytes] = deque()
        self.size = 0
        """Bytes that wait."""

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._events)

    def add(self, events: Iterable[bytes]) -> int:
        """Let them wait, and return how many had to go for it."""
        for event in events:
            self._events.append(event)
            self.size += len(event)
        return self._shrink()

    def put_back(self, events: list[bytes]) -> int:
        """Let what was taken wait again, in front; return how many had to go for it."""
        self._events.extendleft(reversed(events))
        self.size += sum(map(len, events))
        return self._shrink()

    def take(self, most: int) -> list[bytes]:
        """Take the oldest ones, of `most` bytes together, but at least one if any waits."""
        taken: list[bytes] = []
        size = 0
        while self._events and (not taken or size + len(self._events[0]) <= most):
            event = self._events.popleft()
            taken.append(event)
            size += len(event)
        self.size -= size
        return taken

    def _shrink(self) -> int:
        gone = 0
        while self.size > self._limit:
            self.size -= len(self._events.popleft())
            gone += 1
        return gone
