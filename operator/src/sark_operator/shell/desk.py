"""The desk at which one answer of Prometheus is read at a time.

Several threads that read at once only wait for each other, and each holds an answer of megabytes. Some may show a breach, some
are waited for by hundreds of evaluations, and others only renew what goes on meanwhile: they come in this order, but for one
that has been passed over often, so that an operator with too much to read sees a little of everything.

That is among the answers of one server. Between servers goes the time they have had at the desk: a server that sends much has
its own answers wait, and another's for no longer than the one that is being read.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Hashable
from math import inf
from typing import Final

from sark_operator.shell.precedence import Precedence

MOST_IN_A_ROW: Final = 8
"""Answers that are read before one of lower precedence has its turn: more than the questions about counting windows."""


class _Line:
    """Those in front of the desk with answers of one server."""

    def __init__(self) -> None:
        self.had = 0.0
        """Seconds it has had at the desk; one that comes anew is taken to have had as many as that which reads."""
        self.waiting: dict[Precedence, deque[object]] = {each: deque() for each in Precedence}
        """In their order."""
        self.passed_over = dict.fromkeys(Precedence, 0)
        """Answers read, since the last of each precedence, while one of it waited."""

    def first(self) -> object | None:
        present = [each for each in Precedence if self.waiting[each]]
        late = [each for each in present if self.passed_over[each] >= MOST_IN_A_ROW]
        whose = max(late, key=self.passed_over.__getitem__) if late else min(present, default=None)
        return None if whose is None else self.waiting[whose][0]

    def reads(self, precedence: Precedence) -> None:
        """Take note that one of this precedence has its turn."""
        for each in Precedence:
            self.passed_over[each] = self.passed_over[each] + 1 if self.waiting[each] and each is not precedence else 0


class Desk:
    """A lock with a line for each server, and in it one for each precedence. For threads; whoever has entered has to leave."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: dict[Hashable, _Line] = {}
        self._reading: _Line | None = None
        """The line of whoever reads."""
        self._since = 0.0
        self._least = 0.0
        """The least that any line has had in which somebody waits or reads."""

    def enter(self, deadline: float, server: Hashable, precedence: Precedence) -> bool:
        """Wait for the desk until `deadline` (monotonic seconds), and return whether it is the caller's."""
        me = object()
        with self._changed:
            line = self._lines.setdefault(server, _Line())
            if line.first() is None:
                line.had = max(line.had, self._least)
            line.waiting[precedence].append(me)
            try:
                entered = self._changed.wait_for(lambda: self._next() is me, max(0.0, deadline - time.monotonic()))
            finally:
                line.waiting[precedence].remove(me)
            if entered:
                self._reading, self._since = line, time.monotonic()
                line.reads(precedence)
            else:
                self._changed.notify_all()  # others may have waited for this one
            return entered

    def leave(self) -> None:
        """Let the next one read."""
        with self._changed:
            if self._reading is not None:
                self._reading.had += time.monotonic() - self._since
            self._reading = None
            waiting = [line.had for line in self._lines.values() if line.first() is not None]
            self._least = max(self._least, min(waiting, default=inf))
            # Of those that nobody waits in, one is remembered only for as long as it would be taken to have had less.
            gone = [each for each, line in self._lines.items() if line.first() is None and line.had <= self._least]
            for server in gone:
                del self._lines[server]
            if not self._lines:
                self._least = 0.0
            self._changed.notify_all()

    def _next(self) -> object | None:
        """Return whose turn it is, or None while somebody reads or nobody wants to."""
        if self._reading is not None:
            return None
        lines = [line for line in self._lines.values() if line.first() is not None]
        return min(lines, key=lambda line: line.had).first() if lines else None
