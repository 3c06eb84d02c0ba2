"""The desk at which one answer of Prometheus is read at a time.

Several threads that read at once only wait for each other, and each holds an answer of megabytes. Some answers are waited for
by hundreds of evaluations, and others only renew what goes on meanwhile: the former come first, but for one of the latter now
and then, so that an operator with too much to read sees a little of everything.
"""

from __future__ import annotations

import threading
import time
from typing import Final

MOST_IN_A_ROW: Final = 8
"""Answers read before one that nobody waits for has its turn: more than the questions about counting windows."""


class Desk:
    """A lock with two classes of those who want it. For threads; whoever has entered has to leave."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = False
        self._waiting = {True: 0, False: 0}
        """Those in front of the desk, by whether their answer is awaited."""
        self._in_a_row = 0
        """Awaited answers read since one that was not."""

    def enter(self, deadline: float, *, awaited: bool) -> bool:
        """Wait for the desk until `deadline` (monotonic seconds), and return whether it is the caller's."""
        with self._changed:
            self._waiting[awaited] += 1
            try:
                entered = self._changed.wait_for(lambda: self._is_for(awaited=awaited), max(0.0, deadline - time.monotonic()))
            finally:
                self._waiting[awaited] -= 1
                self._changed.notify_all()  # others may have waited for this one
            if entered:
                self._taken = True
                self._in_a_row = self._in_a_row + 1 if awaited else 0
            return entered

    def leave(self) -> None:
        """Let the next one read."""
        with self._changed:
            self._taken = False
            self._changed.notify_all()

    def _is_for(self, *, awaited: bool) -> bool:
        if self._taken:
            return False
        turn = self._in_a_row < MOST_IN_A_ROW
        return awaited == turn or not self._waiting[turn]
