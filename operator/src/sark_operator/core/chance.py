"""Whether a share above its limit can be chance: a bound that holds for every number of samples, and needs no table.

By Chernoff, `n` requests of which each fails with a probability of at most `limit` show a share of at least `k / n` with a
probability of at most `exp(-n * D)`, where D is the Kullback-Leibler divergence of the two shares. It also takes the fractions
that `increase()` extrapolates to. It holds for one window of independent requests: looking at many windows, or at errors that
come in bursts, makes it too bold, which is why the accepted probability is small.
"""

from __future__ import annotations

from math import log
from typing import Final

ACCEPTED: Final = 1e-4
"""Probability at which one window of a share that is just at its limit may be taken for one above it."""


def beyond_chance(part: float, whole: float, limit: float) -> bool:
    """Return whether `part` of `whole` is above the share `limit` (0 < limit < 1) in more than chance explains.

    >>> beyond_chance(1, 100, 0.001), beyond_chance(4, 100, 0.001)
    (False, True)
    """
    if whole <= 0 or part / whole <= limit:
        return False
    return whole * _divergence(min(1.0, part / whole), limit) > -log(ACCEPTED)


def _divergence(seen: float, limit: float) -> float:
    rest = (1 - seen) * log((1 - seen) / (1 - limit)) if seen < 1 else 0.0
    return seen * log(seen / limit) + rest
