"""The desk at which one answer of Prometheus is read at a time.

Several threads that read at once only wait for each other, and each holds an answer of megabytes. Some answers are waited for
by hundreds of evaluations, and others only renew what goes on meanwhile: the former come first, but for one of the latter now
and then, so that an operator with too much to read sees a little of everything.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final

MOST_IN_A_ROW: Final = 8
"""Answers read before one that nobody waits for has its turn: more than the questions about counting windows."""


class Desk:
    """A lock with two classes of those who want it. For threads; whoever has entered has to leave."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = False
        self._lines: dict[bool, deque[object]] = {True: deque(), False: deque()}
        """Those in front of the desk in their order, by whether their answer is awaited."""
        self._in_a_row = 0
        """Awaited answers read since one that was not."""

    def enter(self, deadline: float, *, awaited: bool) -> bool:
        """Wait for the desk until `deadline` (monotonic seconds), and return whether it is the caller's."""
        me = object()
        with self._changed:
            self._lines[awaited].append(me)
            try:
                entered = self._changed.wait_for(lambda: self._next() is me, max(0.0, deadline - time.monotonic()))
            finally:
                self._lines[awaited].remove(me)
            if entered:
                self._taken = True
                self._in_a_row = self._in_a_row + 1 if awaited else 0
            else:
                self._changed.notify_all()  # others may have waited for this one
            return entered

    def leave(self) -> None:
        """Let the next one read."""
        with self._changed:
            self._taken = False
            self._changed.notify_all()

    def _next(self) -> object | None:
        """Return whose turn it is, or None while somebody reads or nobody wants to."""
        awaited = self._in_a_row < MOST_IN_A_ROW
        line = self._lines[awaited] or self._lines[not awaited]
        return None if self._taken or not line else line[0]
