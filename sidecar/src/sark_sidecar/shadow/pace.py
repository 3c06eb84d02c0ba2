"""So many a second, evenly."""

from __future__ import annotations


class Pace:
    """Says how long to wait before the next one."""

    def __init__(self, per_second: float) -> None:
        """At most `per_second`, and none of what was not used may be caught up with."""
        self._interval = 1.0 / per_second
        self._next = 0.0

    def wait(self, now: float) -> float:
        """Return the seconds to wait at `now` before the next one, which is then spent."""
        begins = max(now, self._next)
        self._next = begins + self._interval
        return begins - now
