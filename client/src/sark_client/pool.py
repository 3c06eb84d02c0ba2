"""The connections of a client in one process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar
from weakref import WeakSet


class Keepable(Protocol):
    """What a connection has in common with any other."""

    def is_quiet(self) -> bool:
        """Whether a question can be put: nothing has come since the last answer, not even the end, and all was sent."""

    def close(self) -> None:
        """Close it."""

    def leave(self) -> None:
        """Close it without a word on it, and for good: the copy which a fork made of it, or what another event loop had."""


Connection = TypeVar("Connection", bound=Keepable)
Places = TypeVar("Places")


class Pool(Generic[Connection, Places]):
    """Connections that are kept, those in use, and places for questions: of the process and the loop that made it, of no other.

    Its methods are atomic for threads.
    """

    def __init__(self, places: Callable[[], Places]) -> None:
        """Keep none yet; `places` makes the semaphore of questions under way."""
        self.places = places()
        self._make_places = places
        self._idle: list[Connection] = []
        self._opened: WeakSet[Connection] = WeakSet()

    def add(self, connection: Connection) -> None:
        """Know a connection that was opened: it is in use."""
        self._opened.add(connection)

    def take(self) -> Connection | None:
        """Return a connection that was kept, and is in use from now on; None when one has to be made."""
        while True:
            try:
                # Another thread may take the last one at any moment.
                connection = self._idle.pop()
            except IndexError:
                return None
            # What came without a question, or after its answer, must not become the answer to the next one.
            if connection.is_quiet():
                return connection
            connection.close()

    def keep(self, connection: Connection) -> None:
        """Keep a connection whose answer has come whole."""
        self._idle.append(connection)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while True:
            try:
                self._idle.pop().close()
            except IndexError:
                return

    def leave(self) -> None:
        """Let a parent have all of them, or give up an event loop's, those in use too.

        In a child the locks may be held by threads that are not here.
        """
        self._idle = []
        self.places = self._make_places()
        for connection in list(self._opened):
            connection.leave()
