"""The floor: a single window so bad that nobody waits for more of them.

It is judged with 99.9 % confidence, and far from the limit, so that an unlucky window of a healthy arm does not get there.
"""

from __future__ import annotations

from typing import Final

from .bounds import wilson

_TIMES: Final = 5
_HALF: Final = 0.5


def floor_of(limit: float) -> float:
    """Return the fraction beyond which one window is enough: five times the limit, or half of all if that is less."""
    return max(limit, min(_TIMES * limit, _HALF))


def proven_beyond(hits: float, total: float, floor: float) -> float | None:
    """Return the lower bound of the fraction when it lies beyond `floor`, else None; `total` is above 0."""
    lower, _ = wilson(hits, total)
    return lower if lower > floor else None
