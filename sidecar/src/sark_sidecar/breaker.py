"""A circuit breaker: no further calls to a server that has failed again and again, then one at a time until it works.

Pure: no clock and no task in here; whoever calls says what time it is. `admit` asks whether a call may be made, `ended` says
how it went. A call that is still under way past `slow_after` counts as failed already, so a server that hangs is noticed before
its callers' own deadlines.

    closed      every call is made
    open        none is, for a pause that grows with every failed try and is spread by chance
    half-open   the pause is over: one call at a time is the try; the first good one closes the breaker
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

WINDOW = 20
"""Calls that the share of failures is taken over."""
REMEMBERED_SECONDS = 30.0
"""A failure longer ago says nothing about now."""
SHARE = 0.5
"""The breaker opens when so many of the calls in a full window failed."""


class BreakerState(StrEnum):
    """Whether calls are made."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """When a breaker opens, and for how long. Times are seconds."""

    failures: int
    """So many in a row open it."""
    slow_after: float
    """A call that takes longer counts as failed."""
    pause: float
    """Before the first try."""
    longest_pause: float
    """Before a try, after several that failed."""


@dataclass(frozen=True, slots=True, eq=False)
class Permit:
    """Leave to make one call. Hand it back with `ended` or `abandoned`, exactly once."""

    began: float
    is_try: bool


class Breaker:
    """One server's breaker."""

    def __init__(self, rule: BreakerRule, chance: Callable[[], float]) -> None:
        """Start closed. `chance` returns 0 to 1, and spreads the tries of many breakers over half a pause."""
        self._rule = rule
        self._chance = chance
        self._state = BreakerState.CLOSED
        self._results: deque[tuple[float, bool]] = deque(maxlen=WINDOW)
        self._in_a_row = 0
        self._under_way: dict[int, Permit] = {}
        self._reopened = 0
        self._next_try = 0.0
        self._trying = False
        self.since = float("-inf")
        """When the state became what it is; minus infinity: it never was another."""
        self.opened = 0
        """How often it has opened, tries that failed not counted."""
        self.refused = 0
        """Calls that were not made."""

    @property
    def state(self) -> BreakerState:
        """The state as of the last call to any method."""
        return self._state

    @property
    def under_way(self) -> int:
        """Calls admitted, not ended and not yet counted as failed."""
        return len(self._under_way)

    def seconds_to_try(self, now: float) -> float:
        """Return how long no call is made; 0 when the next one may be."""
        return max(0.0, self._next_try - now) if self._state is BreakerState.OPEN else 0.0

    def admit(self, now: float) -> Permit | None:
        """Return leave to make a call; None when it must not be made."""
        self.look(now)
        if self._state is BreakerState.CLOSED:
            permit = Permit(now, is_try=False)
            self._under_way[id(permit)] = permit
            return permit
        if self._state is BreakerState.HALF_OPEN and not self._trying:
            self._trying = True
            permit = Permit(now, is_try=True)
            self._under_way[id(permit)] = permit
            return permit
        self.refused += 1
        return None

    def ended(self, permit: Permit, now: float, *, failed: bool) -> None:
        """Take note of how a call went; a slow one counts as failed."""
        self.look(now)
        if self._under_way.pop(id(permit), None) is None:
            return
        if failed or now - permit.began > self._rule.slow_after:
            self._failed(permit, now)
        else:
            self._worked(permit, now)

    def abandoned(self, permit: Permit, now: float) -> None:
        """Take note that a call ended before it could tell anything; the next one may be the try instead."""
        self.look(now)
        if self._under_way.pop(id(permit), None) is not None and permit.is_try:
            self._trying = False

    def look(self, now: float) -> None:
        """Let time pass: calls under way grow slow, and pauses end."""
        while self._under_way:
            # In the order of their beginning: the first is the oldest.
            key, oldest = next(iter(self._under_way.items()))
            if now - oldest.began <= self._rule.slow_after:
                break
            del self._under_way[key]
            self._failed(oldest, now)
        if self._state is BreakerState.OPEN and now >= self._next_try:
            self._become(BreakerState.HALF_OPEN, now)

    def _failed(self, permit: Permit, now: float) -> None:
        if permit.is_try:
            self._trying = False
            self._reopened += 1
            self._pause(now)
        elif self._counts(permit):
            self._in_a_row += 1
            self._results.append((now, True))
            if self._in_a_row >= self._rule.failures or self._mostly_fails(now):
                if now - self.since > self._rule.longest_pause:
                    self._reopened = 0
                self.opened += 1
                self._pause(now)

    def _worked(self, permit: Permit, now: float) -> None:
        if permit.is_try:
            self._trying = False
            self._become(BreakerState.CLOSED, now)
        elif self._counts(permit):
            self._in_a_row = 0
            self._results.append((now, False))

    def _counts(self, permit: Permit) -> bool:
        """Calls that began before the breaker closed tell how the server was then."""
        return self._state is BreakerState.CLOSED and permit.began >= self.since

    def _mostly_fails(self, now: float) -> bool:
        recent = [failed for at, failed in self._results if now - at <= REMEMBERED_SECONDS]
        return len(recent) == WINDOW and sum(recent) >= SHARE * WINDOW

    def _pause(self, now: float) -> None:
        longest = min(self._rule.longest_pause, self._rule.pause * 2.0 ** min(self._reopened, 16))
        self._next_try = now + longest * (0.5 + self._chance() / 2)
        self._become(BreakerState.OPEN, now)

    def _become(self, state: BreakerState, now: float) -> None:
        self._state = state
        self.since = now
        self._in_a_row = 0
        self._results.clear()
