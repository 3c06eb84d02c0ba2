"""The floor: a single window so bad that nobody waits for more of them.

It is judged with 99.9 % confidence, and far from the limit, so that an unlucky window of a healthy arm does not get there. Five
times a limit of 0.1 % is not far: three hits in 100 requests would be beyond it, and there are thousands of looks in a bake. So
the floor is never below 5 % of all. What lies between a small limit and that is for the test of all windows, which needs few of
them when they are many times the limit.
"""

from __future__ import annotations

from typing import Final

from .bounds import wilson

_TIMES: Final = 5
_LEAST: Final = 0.05
_HALF: Final = 0.5


def floor_of(limit: float) -> float:
    """Return the fraction beyond which one window is enough: five times the limit, at least 5 % and at most half of all.

    It is never below the limit itself.
    """
    return max(limit, min(max(_TIMES * limit, _LEAST), _HALF))


def proven_beyond(hits: float, total: float, floor: float) -> float | None:
    """Return the lower bound of the fraction when it lies beyond `floor`, else None; `total` is above 0."""
    lower, _ = wilson(hits, total)
    return lower if lower > floor else None
