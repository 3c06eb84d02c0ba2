"""memoryGrowth: a leak shows as resident memory that keeps growing, pod by pod.

A pod breaches when the lower end of its slope's 99.9 % interval is above the limit: it surely grows too fast.
A pod whose memory is known for less than nine tenths of the window is too young and left out, since start-up always looks like
growth; it does not block the others, but at least one pod must be old enough, else the verdict is Unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sark_api.duration import format_duration
from sark_api.spec import MemoryGrowth
from sark_api.status import CriterionStatus
from sark_operator.core.figures import count, mebibytes_per_hour
from sark_operator.core.observation import MemorySeries, Missing
from sark_operator.core.theil_sen import MIN_POINTS, Slope, finite_points

from .ruling import Ruling

NAME: Final = "memoryGrowth"
_OLD_ENOUGH: Final = 0.9
_BYTES_PER_SECOND_IN_KIBIBYTES_PER_HOUR: Final = 3600 / 1024


def judge_memory_growth(settings: MemoryGrowth, memory: Sequence[MemorySeries] | Missing, query: str = "") -> CriterionStatus:
    """Return Breach when any pod old enough grows faster than the limit with 99.9 % confidence; Pass when none does."""
    ruling = Ruling(NAME, settings.action, query, min_samples=1)
    limit, over = settings.limit_kibibytes_per_hour, format_duration(settings.window)
    limit_text = mebibytes_per_hour(limit, limit)[1]
    if isinstance(memory, Missing):
        return ruling.unknown(memory.message, limit=limit_text)
    slopes = _slopes(memory, settings.window)
    if not slopes:
        tell = ruling.undecided if is_seen(memory) else ruling.unknown
        return tell(f"none of {count(len(memory), 'pod')} has {MIN_POINTS} points of memory over {over}", limit=limit_text)
    pod, worst = max(slopes, key=lambda item: item[1].lower)
    breach = worst.lower > limit
    lower, limit_text = mebibytes_per_hour(worst.lower, limit)
    value = mebibytes_per_hour(worst.value, limit)[0]
    left_out = len(memory) - len(slopes)
    return ruling.measured(
        breach=breach,
        message=f"at least {lower} {'>' if breach else '<='} {limit_text} with 99.9% confidence: "
        f"pod {pod} grows {value} over {over} "
        f"({count(len(slopes), 'pod')})",
        value=value,
        limit=limit_text,
        samples=len(slopes),
        warning=f"{count(left_out, 'pod')} too young to judge" if left_out else "",
    )


def is_seen(memory: Sequence[MemorySeries] | Missing) -> bool:
    """Return whether any pod's memory is being measured, however young it is."""
    return not isinstance(memory, Missing) and any(finite_points(series.points) for series in memory)


def _slopes(memory: Sequence[MemorySeries], window: timedelta) -> list[tuple[str, Slope]]:
    """Return the slope of every pod old enough, in KiB per hour."""
    needed = window.total_seconds() * _OLD_ENOUGH
    slopes: list[tuple[str, Slope]] = []
    for series in memory:
        points = finite_points(series.points)
        if not points or points[-1][0] - points[0][0] < needed:
            continue
        slope = series.slope()
        if slope is not None:
            slopes.append((series.pod, slope.times(_BYTES_PER_SECOND_IN_KIBIBYTES_PER_HOUR)))
    return slopes
