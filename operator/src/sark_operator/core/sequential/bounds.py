"""How sure one window is of its own fraction: Wilson's interval."""

from __future__ import annotations

from math import sqrt
from typing import Final

SURE: Final = 3.2905
"""Standard deviations of 99.9 % confidence, two-sided."""


def wilson(hits: float, total: float, deviations: float = SURE) -> tuple[float, float]:
    """Return the lower and upper bound, 0 to 1, of a fraction of which `hits` of `total` (above 0) were seen."""
    share, square = min(1.0, max(0.0, hits / total)), deviations * deviations
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = deviations / (1 + square / total) * sqrt(share * (1 - share) / total + square / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)
