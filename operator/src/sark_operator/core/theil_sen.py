"""The Theil-Sen slope with its interval: a trend that a few wild points cannot bend.

The slope is the median of the slopes between all pairs of points. Its interval takes the slopes whose ranks lie C to either
side of the middle, C from the normal approximation of Kendall's statistic (Sen 1968). That takes deviations from the line to be
independent, and resident memory moves in steps that last: sixty points of which each is like the one before tell no more than a
few. So the variance of the statistic is multiplied by (1 + r) / (1 - r), where r is how much a deviation is like the one before
it, corrected for being measured on few points. The confidence is 99.9 %, because a bake looks often; where the worst of
several series decides it is 99.9 % for all of them together (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import isfinite, sqrt
from statistics import NormalDist, fmean, median

from .points import Point

MAX_POINTS = 60
"""Longer series are thinned to this many points: the number of pairs grows with the square (60 points, 1,770 pairs)."""
MIN_POINTS = 8
"""Below this the interval says nothing."""
MOST = 1e15
"""More than this is neither a number of bytes nor a time; squares and sums of larger ones leave the doubles."""
_BEYOND = 0.001
"""Chance that the interval misses the slope, on both sides together."""
_ALIKE = 0.97
"""Most that a deviation can be like the one before; above it nothing could be told from sixty points."""


@dataclass(frozen=True, slots=True)
class Slope:
    """Change of y per unit of x, with its interval."""

    value: float
    lower: float
    upper: float
    points: int
    """Number of points it rests on, after thinning."""

    def times(self, unit: float) -> Slope:
        """Return the same slope with y in another unit, `unit` of which make one of this one's; it is above zero."""
        return Slope(self.value * unit, self.lower * unit, self.upper * unit, self.points)


def plausible_points(points: Sequence[Point]) -> list[Point]:
    """Return the points whose two numbers are finite and can be reckoned with, by x."""
    return sorted([(x, y) for x, y in points if -MOST <= x <= MOST and -MOST <= y <= MOST])


def thin(points: Sequence[Point], limit: int = MAX_POINTS) -> list[Point]:
    """Return at most `limit` of the points, evenly spread, the first and the last among them."""
    if len(points) <= limit:
        return list(points)
    last = len(points) - 1
    return [points[index * last // (limit - 1)] for index in range(limit)]


def theil_sen(points: Sequence[Point], *, among: int = 1) -> Slope | None:
    """Return the slope of `points`, or None when fewer than `MIN_POINTS` are plausible or all have the same x.

    The interval is so wide that those of `among` series all hold their slope with a confidence of 99.9 %.
    """
    kept = thin(plausible_points(points))
    size = len(kept)
    if size < MIN_POINTS:
        return None
    slopes = sorted([(y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(kept) for x2, y2 in kept[i + 1 :] if x2 > x1])
    if not slopes:
        return None
    middle = median(slopes)
    spread = _deviations(among) * sqrt(size * (size - 1) * (2 * size + 5) / 18 * _lasting(kept, middle))
    below = max(0, int((len(slopes) - spread) / 2))
    above = min(len(slopes) - 1, len(slopes) - 1 - below)
    return Slope(middle, slopes[min(below, above)], slopes[max(below, above)], size)


@cache
def _deviations(among: int) -> float:
    """Return how many standard deviations the interval of each of `among` series reaches to either side."""
    return NormalDist().inv_cdf(1 - _BEYOND / 2 / among)


def _lasting(points: Sequence[Point], slope: float) -> float:
    """Return how many points are worth one independent one: 1 when deviations from the line do not last."""
    rest = [y - slope * x for x, y in points]
    middle = fmean(rest)
    deviations = [value - middle for value in rest]
    square = sum(value * value for value in deviations)
    if not square > 0 or not isfinite(square):
        return 1.0
    alike = sum(one * next_one for one, next_one in pairwise(deviations)) / square
    alike += (1 + 4 * alike) / len(points)
    alike = min(_ALIKE, max(0.0, alike))
    return (1 + alike) / (1 - alike)
