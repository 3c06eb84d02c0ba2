"""What of one window is bet on: a fraction, and the limit it is held against.

What both arms suffer at once is not the new arm's doing, and going back would not help. So where the baseline is seen, the new
arm's fraction is held against the larger of the limit and one and a half times what the baseline suffers, lately or in this
very window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WORSE: Final = 1.5
"""How many times as much as a suffering baseline the new arm may suffer: room for the chance in the baseline's own number."""
LEAST_BASELINE: Final = 20
"""Requests of the baseline in a window below which they say nothing of it."""


@dataclass(frozen=True, slots=True)
class Counts:
    """So many of so many."""

    hits: float = 0.0
    total: float = 0.0

    @property
    def share(self) -> float:
        """Part of the total that was hit, 0 to 1; 0 of nothing."""
        return min(1.0, self.hits / self.total) if self.total > 0 else 0.0


NOTHING: Final = Counts()


@dataclass(frozen=True, slots=True)
class Fraction:
    """The new arm's part of one window, and the limit in force in it."""

    counts: Counts
    limit: float
    """Above 0; the same kind of number as the fraction."""


def limit_beside(limit: float, *baselines: Counts) -> float:
    """Return the limit for the new arm beside a baseline that suffered so much, lately and in the window itself."""
    suffered = [baseline.share for baseline in baselines if baseline.total >= LEAST_BASELINE]
    return max(limit, WORSE * max(suffered, default=0.0))
