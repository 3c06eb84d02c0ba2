"""Counting windows: which are asked for, and what Prometheus' answers make of them.

They lie on a grid of whole seconds that is the same for all rollouts of one window length, so that all of them share a
question, and so that an operator that starts anew asks for the same windows its predecessor would have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from sark_api.names import ARM_NEW
from sark_operator.core.observation import ArmWindow, Comparisons, CountedPlane, CountedWindow, Histogram
from sark_operator.shell.answers import Requests

SETTLE: Final = timedelta(seconds=1)
"""How long a scrape may take to be stored: a window is asked for only when it has been over for this long."""
MOST_WINDOWS: Final = 64
"""Windows asked for at once. An operator that was away for longer leaves the older ones uncounted: on them no bet is made."""
WINDOWS_AT_ONCE: Final = 8
"""Windows in one answer of Prometheus at most, a power of two: about a thousand rollouts it is megabytes."""
_EMPTY: Final = Histogram((), ())


@dataclass(frozen=True, slots=True)
class Grid:
    """The ends of windows in a row."""

    window: timedelta
    """Length of each."""
    start: datetime
    """End of the first."""
    end: datetime
    """End of the last."""

    @classmethod
    def after(
        cls, counted_until: datetime | None, now: datetime, window: timedelta, *, most: int = MOST_WINDOWS
    ) -> Grid | None:
        """Return the windows that are over and begin at `counted_until` or later, the latest `most`; None without any."""
        last = datetime.fromtimestamp((now - SETTLE).timestamp() // window.total_seconds() * window.total_seconds(), UTC)
        if counted_until is None or last - window < counted_until:
            return None
        number = min(most, (last - counted_until) // window)
        return cls(window, last - (number - 1) * window, last)

    def parts(self) -> Iterator[Grid]:
        """Yield the same windows, oldest first, in as few parts as may be."""
        start = self.start
        while start <= self.end:
            end = min(self.end, start + (WINDOWS_AT_ONCE - 1) * self.window)
            yield Grid(self.window, start, end)
            start = end + self.window

    def blocks(self) -> Iterator[Grid]:
        """Yield the same windows, oldest first, in blocks of 1, 2, 4 or 8, each from a multiple of its size on.

        So rollouts that are behind by different times ask the same questions. Where each asked for what it is behind by, every
        answer would have most windows of the one before it, and an operator with much to do would do nothing but read them.
        """
        seconds = self.window.total_seconds()
        number, last = round(self.start.timestamp() / seconds), round(self.end.timestamp() / seconds)
        while number <= last:
            size = WINDOWS_AT_ONCE
            while number % size or number + size - 1 > last:
                size //= 2
            yield Grid(self.window, self._at(number), self._at(number + size - 1))
            number += size

    def _at(self, number: int) -> datetime:
        return datetime.fromtimestamp(number * self.window.total_seconds(), UTC)


def counted_windows(
    grid: Grid,
    requests: Mapping[float, Mapping[str, Requests]],
    latency: Mapping[float, Mapping[str, Histogram]],
    plane: Mapping[float, CountedPlane] = MappingProxyType({}),
) -> tuple[CountedWindow, ...]:
    """Return the windows of one rollout, oldest first, from what is known by end, in Unix seconds; the first two also by arm.

    An end without series is left out: nobody was seen then, which is not the same as nobody asked.
    """
    windows = []
    for at in sorted({*requests, *latency}):
        end = datetime.fromtimestamp(at, UTC)
        arms = arm_windows(requests.get(at, {}), latency.get(at, {}))
        windows.append(CountedWindow(end - grid.window, end, arms, plane.get(at, CountedPlane())))
    return tuple(windows)


def plane_windows(
    fallbacks: Mapping[float, float],
    evaluations: Mapping[float, Mapping[str, Histogram]],
    lookups: Mapping[float, Mapping[str, Histogram]],
    compared: Mapping[float, Mapping[str, float]] = MappingProxyType({}),
) -> Mapping[float, CountedPlane]:
    """Return what happened inside the new arm of one rollout, by end in Unix seconds; `compared` by result as well."""
    return {
        at: CountedPlane(
            fallbacks.get(at),
            evaluations.get(at, {}).get(ARM_NEW, _EMPTY),
            lookups.get(at, {}).get(ARM_NEW, _EMPTY),
            _comparisons(compared[at]) if at in compared else None,
        )
        for at in {*fallbacks, *evaluations, *lookups, *compared}
    }


def _comparisons(by_result: Mapping[str, float]) -> Comparisons:
    return Comparisons(by_result.get("match", 0.0), by_result.get("mismatch", 0.0))


def arm_windows(requests: Mapping[str, Requests], latency: Mapping[str, Histogram]) -> Mapping[str, ArmWindow]:
    """Return what is known of each arm."""
    return {
        arm: ArmWindow(counted.requests, counted.errors, latency.get(arm, _EMPTY), counted.refusals)
        for arm in sorted({*requests, *latency})
        for counted in (requests.get(arm, Requests()),)
    }
