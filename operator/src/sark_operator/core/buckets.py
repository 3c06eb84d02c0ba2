"""Reading a cumulative histogram: quantiles and shares, by linear interpolation inside a bucket as Prometheus does.

Bounds and counts come from outside. `readable` says whether they make sense; the other functions expect that they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import inf, isfinite, isnan

from .observation import Histogram

MAX_COUNT = 1e15
"""More than this is not a count of requests."""
LONGEST = 1e9
"""More seconds than this, some thirty years, are no bound of a histogram."""


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile, and whether it is only known to be at least that much."""

    seconds: float
    beyond: bool
    """It lies in the last, open bucket: `seconds` is that bucket's lower bound."""


@dataclass(frozen=True, slots=True)
class Above:
    """How many are slower than a threshold."""

    share: float
    """0 to 1."""
    open_bucket: bool
    """The threshold lies in the last, open bucket, all of which was counted as slower."""


def plausible_count(number: float) -> bool:
    """Return whether `number` can be a number of requests: finite, not negative, not absurd."""
    return isfinite(number) and 0 <= number <= MAX_COUNT


def readable(histogram: Histogram) -> str:
    """Return why the histogram cannot be read, as a clause, or an empty string when it can."""
    bounds = histogram.bounds
    if not bounds or len(bounds) != len(histogram.counts):
        return "the histogram's buckets and counts do not match"
    if any(isnan(bound) for bound in bounds) or any(low >= high for low, high in pairwise(bounds)) or bounds[0] <= 0:
        return "the histogram's bounds do not grow"
    if any(LONGEST < bound < inf for bound in bounds):
        return "the histogram's bounds are no seconds"
    if bounds[-1] != inf:
        return "the histogram has no +Inf bucket"
    if not all(plausible_count(number) for number in histogram.counts):
        return "the histogram's counts are not numbers of requests"
    return ""


def mended(histogram: Histogram) -> Histogram:
    """Return the histogram with counts that never fall: extrapolation by `increase()` can make a wider bucket smaller."""
    return Histogram(histogram.bounds, tuple(accumulate(histogram.counts, max)))


def quantile(histogram: Histogram, share: float) -> Quantile:
    """Return the `share` quantile (0 to 1) of a histogram with observations."""
    rank = share * histogram.total
    lower, below = 0.0, 0.0
    for bound, upto in zip(histogram.bounds, histogram.counts, strict=True):
        if upto >= rank and upto > below:
            if bound == inf:
                break
            return Quantile(lower + (bound - lower) * (rank - below) / (upto - below), beyond=False)
        if bound != inf:
            lower, below = bound, upto
    return Quantile(lower, beyond=True)


def share_above(histogram: Histogram, seconds: float) -> Above:
    """Return the share of observations slower than `seconds`, of a histogram with observations.

    In the open bucket there is nothing to interpolate with: all of it counts as slower, the conservative reading.
    """
    lower, below = 0.0, 0.0
    for bound, upto in zip(histogram.bounds, histogram.counts, strict=True):
        if bound == inf:
            break
        if seconds < bound:
            faster = below + (upto - below) * (seconds - lower) / (bound - lower)
            return Above(1 - faster / histogram.total, open_bucket=False)
        lower, below = bound, upto
    return Above(1 - below / histogram.total, open_bucket=seconds > lower)
