"""How many bytes of answers there may be in memory at once, whoever sends them and however many they are.

An answer has a limit of its own, and of each server one is taken in at a time. But there may be many servers, and one that
sends nearly as much as it may and then stalls would hold all of it until its time is over. So a reader takes room before it
keeps a piece, and waits where there is none.

Of what is common a server may have a part of what is left: the more there are the less each has, and something is left for one
that comes anew. Answers that have grown beyond that would wait for each other until the time of all is over. So there is a
reserve, in which any answer comes to its end, for one of them at a time: next is the server that has had it for the least time,
and between those that had it for about as long goes precedence. Who sends slowly loses it, with the answer, once others wait
for it, the sooner the more they are, and comes after all others for a while: many that stall take turns only with each other.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

from sark_operator.shell.precedence import Precedence

MOST: Final = 96 * 1024 * 1024
"""Bytes of all answers together."""
RESERVE: Final = 33 * 1024 * 1024
"""Of these, what one answer may have beyond its part of what is common: more than any is long."""
PARTS: Final = 8
"""A server may have one of so many parts of what is left: alone 7 MiB, which is about what one question about a thousand
rollouts is answered with."""
HELD_SECONDS: Final = 2.0
"""How long an answer may take to come while it has the reserve and another waits for it, less where more do. Others wait for
longer than that by default."""
HELD_LEAST_SECONDS: Final = 0.5
"""As long it may take however many wait."""
SLOW_SECONDS: Final = 60.0
"""How long a server that was ended comes after all others."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    server: str
    precedence: Precedence


@dataclass(slots=True)
class _Ahead:
    """Whoever has the reserve."""

    server: str
    end: Callable[[], None]
    since: float
    may_end: bool = True
    """Whether it may be ended for others: not when it has come to its end, or is being ended."""
    taken: int = 0
    """Bytes of the reserve."""


class ByteBudget:
    """Bytes by server, of which each takes in one answer at a time. For threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken: defaultdict[str, int] = defaultdict(int)
        self._common = 0
        """Bytes taken of what is common."""
        self._waiting: list[_Waiting] = []
        """In order of arrival."""
        self._ahead: _Ahead | None = None
        self._had: dict[str, float] = {}
        """Seconds a server has had the reserve; one that comes anew is taken to have had as many as the least that waits."""
        self._least = 0.0
        self._slow: dict[str, float] = {}
        """Servers that were ended for others, and until when they come after all."""

    def take(self, server: str, size: int, deadline: float, precedence: Precedence, end: Callable[[], None]) -> bool:
        """Take `size` bytes, waiting until `deadline` (monotonic seconds) for them; return whether they are the caller's.

        `end` is called, in another thread, where the answer takes so long that others have to have its room.
        """
        with self._changed:
            if self._has_room(server, size):
                self._put(server, size)
                return True
            me = _Waiting(server, precedence)
            self._had.setdefault(server, self._least)
            self._waiting.append(me)
            try:
                taken = self._waited(lambda: self._has_room(server, size) or self._is_next(me), deadline)
            finally:
                self._waiting.remove(me)
            if taken:
                if not self._has_room(server, size):
                    self._ahead = _Ahead(server, end, time.monotonic())
                self._put(server, size)
            self._changed.notify_all()  # others may have waited for this one
            return taken

    def all_is_here(self, server: str) -> None:
        """Take note that the answer of `server` has come: it is not its fault any more how long that takes."""
        with self._changed:
            if self._ahead is not None and self._ahead.server == server:
                self._ahead.may_end = False

    def give(self, server: str, size: int) -> None:
        """Give back what was taken for an answer."""
        with self._changed:
            self._taken[server] -= size
            if not self._taken[server]:
                del self._taken[server]
            if self._ahead is not None and self._ahead.server == server:
                size -= self._ahead.taken
                self._leave(self._ahead)
            self._common -= size
            if not self._waiting and self._ahead is None:
                self._had.clear()
                self._least = 0.0
            self._changed.notify_all()

    def _waited(self, fits: Callable[[], bool], deadline: float) -> bool:
        """Wait until it fits, and end the answer that is in the way when its time has come; return whether it fits."""
        while not fits():
            ahead, now = self._ahead, time.monotonic()
            if now >= deadline:
                return False
            until = self._until(ahead) if ahead is not None and ahead.may_end else inf
            if ahead is not None and now >= until:
                self._note_slow(ahead.server, now)
                ahead.may_end = False
                ahead.end()
                until = inf
            self._changed.wait(min(deadline, until) - now)
        return True

    def _until(self, ahead: _Ahead) -> float:
        """Return when the one that has the reserve is ended for those who wait."""
        return ahead.since + max(HELD_LEAST_SECONDS, HELD_SECONDS / max(1, len({each.server for each in self._waiting})))

    def _note_slow(self, server: str, now: float) -> None:
        self._slow = {each: until for each, until in self._slow.items() if until > now} | {server: now + SLOW_SECONDS}

    def _has_room(self, server: str, size: int) -> bool:
        if self._ahead is not None and self._ahead.server == server:
            return self._ahead.taken + size <= RESERVE
        return (self._taken.get(server, 0) + size) * PARTS <= MOST - RESERVE - self._common

    def _put(self, server: str, size: int) -> None:
        self._taken[server] += size
        if self._ahead is not None and self._ahead.server == server:
            self._ahead.taken += size
        else:
            self._common += size

    def _is_next(self, me: _Waiting) -> bool:
        """Return whether the reserve is free, and nobody comes before."""
        return self._ahead is None and me is min(self._waiting, key=self._rank)

    def _rank(self, each: _Waiting) -> tuple[bool, int, Precedence]:
        is_slow = self._slow.get(each.server, 0.0) > time.monotonic()
        return is_slow, int(self._had[each.server]), each.precedence

    def _leave(self, ahead: _Ahead) -> None:
        """Leave the reserve to the next one."""
        self._ahead = None
        self._had[ahead.server] += time.monotonic() - ahead.since
        waiting = {each.server for each in self._waiting}
        self._least = min((self._had[server] for server in waiting), default=inf)
        # Of those that do not wait, one is remembered only for as long as it would be taken to have had less.
        self._had = {server: had for server, had in self._had.items() if server in waiting or had > self._least}
