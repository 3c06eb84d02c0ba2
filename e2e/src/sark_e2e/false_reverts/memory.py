"""Simulated memory of sidecars, whose deviations last: an allocator keeps what it took, a collector frees it later."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import exp, sqrt
from random import Random
from typing import Final, NamedTuple

from sark_api.spec import MemoryGrowth
from sark_api.status import Verdict
from sark_operator.core.observation import MemorySeries
from sark_operator.core.points import Point
from sark_operator.core.verdicts.memory_growth import judge_memory_growth

from .runs import each_of

HOURS: Final = 48
LOOK_MINUTES: Final = 10
"""Minutes from one look to the next; between two of them the windows hardly change."""
DEFAULT: Final = MemoryGrowth()
_ONE_WINDOW: Final = MemoryGrowth(sustained_windows=1)
_POINTS: Final = 60
_MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """One pod, a point a minute."""

    growth: float = 0.0
    """True growth in MiB per hour."""
    noise: float = 1.0
    """Standard deviation of what comes and goes, in MiB."""
    lasts: float = 0.0
    """Minutes in which a deviation falls to a third (1/e); 0 when points are independent."""
    saw: float = 0.0
    """Height in MiB of a saw whose tooth takes `tooth` minutes: garbage that is collected when there is enough of it."""
    tooth: int = 45

    def points(self, random: Random) -> Iterator[tuple[float, float]]:
        """Yield (seconds, bytes) for ever."""
        kept = exp(-1 / self.lasts) if self.lasts else 0.0
        fresh, deviation, minute = self.noise * sqrt(1 - kept * kept), random.gauss(0, self.noise), 0
        while True:
            saw = self.saw * (minute % self.tooth) / self.tooth
            yield 60.0 * minute, (100 + self.growth * minute / 60 + saw + deviation) * _MEBIBYTE
            deviation = kept * deviation + random.gauss(0, fresh)
            minute += 1


class Found(NamedTuple):
    """Minutes of looking after which a fleet is taken back for memory; None when it never is."""

    by_one_window: int | None
    """As if growth need not last."""
    operator: int | None


def taken_back(memory: Memory, pods: int, hours: int, seed: str) -> Found:
    """Return when a fleet of `pods` whose memory is like `memory` is taken back, with the default settings."""
    random = Random(seed)
    sources = [memory.points(random) for _ in range(pods)]
    known = [deque(islice(source, _POINTS), maxlen=_POINTS * DEFAULT.sustained_windows) for source in sources]
    by_one = operator = None
    for minute in range(0, hours * 60, LOOK_MINUTES):
        now = tuple(MemorySeries(f"pod-{number}", list(points)[-_POINTS:]) for number, points in enumerate(known))
        long = tuple(MemorySeries(f"pod-{number}", _sparse(points)) for number, points in enumerate(known))
        if by_one is None and judge_memory_growth(_ONE_WINDOW, now).verdict is Verdict.BREACH:
            by_one = minute
        if operator is None and judge_memory_growth(DEFAULT, now, long).verdict is Verdict.BREACH:
            operator = minute
        if by_one is not None and operator is not None:
            break
        for points, source in zip(known, sources, strict=True):
            points.extend(islice(source, LOOK_MINUTES))
    return Found(by_one, operator)


def _sparse(points: Sequence[Point]) -> list[Point]:
    """Return the points at the step at which the operator asks for so long a time, the newest among them."""
    return list(points)[:: -DEFAULT.sustained_windows][::-1]


def fleets(memory: Memory, pods: int, hours: int, runs: int, seed: int) -> list[Found]:
    """Return for each run when a fleet of `pods` is taken back."""
    return each_of(runs, partial(_fleet, memory, pods, hours, seed))


def _fleet(memory: Memory, pods: int, hours: int, seed: int, run: int) -> Found:
    return taken_back(memory, pods, hours, f"{seed} {run} {memory}")
