"""memoryGrowth: a leak shows as resident memory that keeps growing, pod by pod.

An allocator keeps what it took and a collector frees it later, so memory in order often grows faster than the limit for an
hour. A leak goes on. So a pod breaches when the lower end of its slope's interval is above the limit over `sustainedWindows`
windows and its newest window does not show that the growth has ended; or when it is above five times the limit over one
window, for that is too fast to wait. Growth above the limit that is neither is Unknown and holds the step. The interval is for
the worst of all pods, 99.9 % for all of them together.

A pod whose memory is known for less than nine tenths of the window is too young and left out, since start-up always looks like
growth; it does not block the others, but at least one pod must be old enough, else the verdict is Unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from sark_api.duration import format_duration
from sark_api.spec import MemoryGrowth
from sark_api.status import CriterionStatus, Verdict
from sark_operator.core.figures import count, mebibytes_per_hour
from sark_operator.core.observation import MemorySeries, Missing
from sark_operator.core.theil_sen import MIN_POINTS, Slope, plausible_points

from .ruling import Ruling

NAME: Final = "memoryGrowth"
TOO_FAST: Final = 5
"""So many times the limit is a breach after one window."""
_OLD_ENOUGH: Final = 0.9
_BYTES_PER_SECOND_IN_KIBIBYTES_PER_HOUR: Final = 3600 / 1024

_Slopes = Mapping[str, Slope]
"""By pod, in KiB per hour."""


@dataclass(frozen=True, slots=True)
class _Growth:
    """The worst growth of any pod over some time, and the limit it is held against in KiB per hour."""

    pod: str
    slope: Slope
    limit: float
    over: timedelta
    why: str = ""
    """What follows from it, a clause."""

    @property
    def is_surely_above(self) -> bool:
        return self.slope.lower > self.limit

    @property
    def value(self) -> str:
        return mebibytes_per_hour(self.slope.value, self.limit)[0]

    def sentence(self, pods: int) -> str:
        lower, limit = mebibytes_per_hour(self.slope.lower, self.limit)
        return (
            f"at least {lower} {'>' if self.is_surely_above else '<='} {limit} with 99.9% confidence: "
            f"pod {self.pod} grows {self.value} over {format_duration(self.over)} ({count(pods, 'pod')})"
            f"{f'; {self.why}' if self.why else ''}"
        )


def judge_memory_growth(
    settings: MemoryGrowth,
    memory: Sequence[MemorySeries] | Missing,
    sustained: Sequence[MemorySeries] | Missing | None = None,
    query: str = "",
) -> CriterionStatus:
    """Return Breach when any pod's growth above the limit has lasted or is too fast, Pass when none is above it.

    `memory` goes over the window, `sustained` over all the windows growth must last; it is not needed where that is one.
    """
    ruling = Ruling(NAME, settings.action, query, min_samples=1)
    limit, over = settings.limit_kibibytes_per_hour, format_duration(settings.window)
    limit_text = mebibytes_per_hour(limit, limit)[1]
    if isinstance(memory, Missing):
        return ruling.unknown(memory.message, limit=limit_text)
    slopes = _slopes(memory, settings.window)
    if not slopes:
        tell = ruling.undecided if is_seen(memory) else ruling.unknown
        return tell(f"none of {count(len(memory), 'pod')} has {MIN_POINTS} points of memory over {over}", limit=limit_text)
    judged = _judged(settings, slopes, memory if settings.sustained_windows == 1 else sustained)
    if isinstance(judged, Missing):
        return ruling.unknown(judged.message, limit=limit_text, samples=len(slopes))
    verdict, growth = judged
    message = growth.sentence(len(slopes))
    if verdict is Verdict.UNKNOWN:
        return ruling.undecided(message, value=growth.value, limit=limit_text, samples=len(slopes))
    left_out = len(memory) - len(slopes)
    return ruling.measured(
        breach=verdict is Verdict.BREACH,
        message=message,
        value=growth.value,
        limit=limit_text,
        samples=len(slopes),
        warning=f"{count(left_out, 'pod')} too young to judge" if left_out else "",
    )


def is_seen(memory: Sequence[MemorySeries] | Missing) -> bool:
    """Return whether any pod's memory is being measured, however young it is."""
    return not isinstance(memory, Missing) and any(plausible_points(series.points) for series in memory)


def _judged(
    settings: MemoryGrowth, slopes: _Slopes, sustained: Sequence[MemorySeries] | Missing | None
) -> tuple[Verdict, _Growth] | Missing:
    """Return the verdict, and the growth it rests on."""
    limit, window, length = settings.limit_kibibytes_per_hour, settings.window, settings.sustained
    now = _worst(slopes, limit, window)
    too_fast = _worst(slopes, TOO_FAST * limit, window, f"too fast to wait: {TOO_FAST} times the limit")
    if too_fast.is_surely_above:
        return Verdict.BREACH, too_fast
    if isinstance(sustained, Missing):
        return sustained
    # A pod that is gone grows no more, and one whose newest window cannot be judged is not judged by those before.
    long = {pod: slope for pod, slope in _slopes(sustained or (), length).items() if pod in slopes}
    going_on = {pod: slope for pod, slope in long.items() if slopes[pod].upper >= limit}
    if going_on and (lasting := _worst(going_on, limit, length)).is_surely_above:
        return Verdict.BREACH, lasting
    ended = f"but over the last {format_duration(window)} less than the limit"
    if long and (past := _worst(long, limit, length, ended)).is_surely_above:
        return Verdict.UNKNOWN, past
    if now.is_surely_above:
        return Verdict.UNKNOWN, replace(now, why=f"a leak if it lasts for {format_duration(length)}")
    return Verdict.PASS, now


def _worst(slopes: _Slopes, limit: float, over: timedelta, why: str = "") -> _Growth:
    pod = max(slopes, key=lambda pod: slopes[pod].lower)
    return _Growth(pod, slopes[pod], limit, over, why)


def reckoned(
    settings: MemoryGrowth, memory: Sequence[MemorySeries] | Missing, sustained: Sequence[MemorySeries] | Missing | None
) -> Iterator[None]:
    """Reckon what `judge_memory_growth` rests on, one pod a step.

    Series remember what was reckoned of them, so whoever has other things to do between the steps judges at once afterwards.
    """
    for pods, length in ((memory, settings.window), (sustained or (), settings.sustained)):
        if isinstance(pods, Missing):
            continue
        for series in pods:
            _slope(series, length, len(pods))
            yield


def _slopes(memory: Sequence[MemorySeries], length: timedelta) -> _Slopes:
    """Return the slope of every pod known for nearly `length`, each as sure as the worst of all must be."""
    slopes = {series.pod: _slope(series, length, len(memory)) for series in memory}
    return {pod: slope.times(_BYTES_PER_SECOND_IN_KIBIBYTES_PER_HOUR) for pod, slope in slopes.items() if slope is not None}


def _slope(series: MemorySeries, length: timedelta, among: int) -> Slope | None:
    """Return the slope of a pod, or None where it is not known for nearly `length`."""
    return series.slope(among) if series.seconds >= length.total_seconds() * _OLD_ENOUGH else None
