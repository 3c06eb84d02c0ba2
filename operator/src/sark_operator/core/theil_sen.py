"""The Theil-Sen slope with its interval: a trend that a few wild points cannot bend.

The slope is the median of the slopes between all pairs of points. Its 95 % interval takes the slopes whose ranks lie C to
either side of the middle, C from the normal approximation of Kendall's statistic (Sen 1968). It assumes that deviations from
the line are independent; resident memory moves in steps that last, so the true interval is wider. That is why a limit is
compared with the interval's lower end over a long window, and not with the slope.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from statistics import median

MAX_POINTS = 60
"""Longer series are thinned to this many points: the number of pairs grows with the square (60 points, 1,770 pairs)."""
MIN_POINTS = 8
"""Below this the interval says nothing."""
_Z95 = 1.959964

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Slope:
    """Change of y per unit of x, with its 95 % interval."""

    value: float
    lower: float
    upper: float
    points: int
    """Number of points it rests on, after thinning."""


def finite_points(points: Sequence[Point]) -> list[Point]:
    """Return the points whose two numbers are finite, by x."""
    return sorted(point for point in points if isfinite(point[0]) and isfinite(point[1]))


def thin(points: Sequence[Point], limit: int = MAX_POINTS) -> list[Point]:
    """Return at most `limit` of the points, evenly spread, the first and the last among them."""
    if len(points) <= limit:
        return list(points)
    last = len(points) - 1
    return [points[index * last // (limit - 1)] for index in range(limit)]


def theil_sen(points: Sequence[Point]) -> Slope | None:
    """Return the slope of `points`, or None when fewer than `MIN_POINTS` are finite or all have the same x."""
    kept = thin(finite_points(points))
    size = len(kept)
    if size < MIN_POINTS:
        return None
    slopes = sorted((y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(kept) for x2, y2 in kept[i + 1 :] if x2 > x1)
    if not slopes:
        return None
    spread = _Z95 * sqrt(size * (size - 1) * (2 * size + 5) / 18)
    below = max(0, int((len(slopes) - spread) / 2))
    above = min(len(slopes) - 1, len(slopes) - 1 - below)
    return Slope(median(slopes), slopes[min(below, above)], slopes[max(below, above)], size)
