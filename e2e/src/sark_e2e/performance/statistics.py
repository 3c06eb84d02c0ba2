"""Single times of an operation as the numbers a report wants."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from .suite import Numbers

_MILLI = 1e3


def of_times(seconds: Sequence[float], *, wall_seconds: float | None = None) -> Numbers:
    """Return percentiles (nearest rank), extremes, mean, median and deviation in ms, and operations a second.

    `wall_seconds` is how long all took together where several ran at once; else they followed one another.
    """
    if not seconds:
        raise ValueError("no operation was timed")
    ordered = sorted(seconds)
    wall = sum(ordered) if wall_seconds is None else wall_seconds
    times = {
        "p50": percentile(ordered, 50),
        "p95": percentile(ordered, 95),
        "p99": percentile(ordered, 99),
        "min": ordered[0],
        "max": ordered[-1],
        "mean": statistics.fmean(ordered),
        "median": statistics.median(ordered),
        "stddev": statistics.pstdev(ordered),
    }
    numbers: Numbers = {name: (_MILLI * value, "ms") for name, value in times.items()}
    return numbers | {"ops": (len(ordered) / wall, "1/s"), "rounds": (len(ordered), "")}


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Return the smallest of the ordered values that `percent` of all do not exceed."""
    return ordered[max(-(-len(ordered) * percent // 100), 1) - 1]
