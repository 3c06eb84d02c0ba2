"""Simulated memory of a healthy sidecar, whose deviations last: an allocator keeps what it took, a collector frees it later."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import exp, sqrt
from random import Random
from typing import Final

from sark_api.spec import MemoryGrowth
from sark_api.status import Verdict
from sark_operator.core.observation import MemorySeries
from sark_operator.core.verdicts.memory_growth import judge_memory_growth

HOURS: Final = 48
LOOK_MINUTES: Final = 5
"""Minutes from one look to the next; between two of them the window of an hour hardly changes."""
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


def taken_back(memory: Memory, random: Random, *, hours: int = HOURS, settings: MemoryGrowth | None = None) -> int | None:
    """Return after how many minutes of looking the pod is taken for a leak with the default settings; None when it never is."""
    settings = settings or MemoryGrowth()
    window: deque[tuple[float, float]] = deque(maxlen=_POINTS)
    source = memory.points(random)
    window.extend(islice(source, _POINTS))
    for look in range(hours * 60 // LOOK_MINUTES):
        verdict = judge_memory_growth(settings, (MemorySeries("pod", tuple(window)),)).verdict
        if verdict is Verdict.BREACH:
            return look * LOOK_MINUTES
        window.extend(islice(source, LOOK_MINUTES))
    return None


def false_alarms(memory: Memory, runs: int, seed: int) -> float:
    """Return the share of runs of 48 h in which the pod is taken for a leak."""
    return sum(taken_back(memory, Random(f"{seed} {run} {memory}")) is not None for run in range(runs)) / runs
