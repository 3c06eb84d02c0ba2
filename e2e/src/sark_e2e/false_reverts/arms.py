"""Simulated arms: errors of each window, which come in bursts, and trouble that hits both arms at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from random import Random

WINDOW_SECONDS = 15
"""Length of a counting window, as with the default criteria."""
PER_MINUTE = 60 // WINDOW_SECONDS
BAKE = 48 * 60 * PER_MINUTE
"""Windows of a 48 h bake."""


@dataclass(frozen=True, slots=True)
class Window:
    """What one window counted."""

    requests: int
    errors: int
    baseline_requests: int
    baseline_errors: int


@dataclass(frozen=True, slots=True)
class Arms:
    """The new arm and its baseline."""

    per_minute: int
    """Requests of the new arm a minute."""
    rate: float
    """Expected fraction of errors of the new arm."""
    rho: float = 0.0
    """Correlation of two requests of a window: 0 when errors are independent, more when they come in bursts."""
    baseline_times: int = 3
    """Requests of the baseline arm for one of the new arm."""
    baseline_rate: float = 0.002
    shock_rate: float = 0.0
    """Fraction of errors of both arms while something they share is down."""
    shock_every: int = 6 * 60 * PER_MINUTE
    shock_length: int = 10 * PER_MINUTE
    """Windows from one such time to the next, on average, and how many it lasts."""

    def windows(self, random: Random) -> Iterator[Window]:
        """Yield windows for ever."""
        requests = self.per_minute // PER_MINUTE
        others = requests * self.baseline_times
        left = 0
        while True:
            if self.shock_rate and not left and random.random() < 1 / self.shock_every:
                left = self.shock_length
            rate, baseline_rate = (self.shock_rate, self.shock_rate) if left else (self.rate, self.baseline_rate)
            left = max(0, left - 1)
            yield Window(
                requests,
                clinging(random, requests, rate, self.rho),
                others,
                clinging(random, others, baseline_rate, self.rho) if self.shock_rate else 0,
            )


def clinging(random: Random, requests: int, rate: float, rho: float) -> int:
    """Return a beta-binomial count: a rate for this window, then errors at that rate."""
    if rho and 0 < rate < 1:
        scale = (1 - rho) / rho
        rate = random.betavariate(rate * scale, (1 - rate) * scale)
    return _binomial(random, requests, rate)


def _binomial(random: Random, trials: int, rate: float) -> int:
    """Return the number of successes, by skipping from one to the next."""
    if rate <= 0:
        return 0
    if rate >= 1:
        return trials
    if rate > 0.5:
        return trials - _binomial(random, trials, 1 - rate)
    missed, position, successes = log(1 - rate), 0, 0
    while missed:
        position += int(log(1 - random.random()) / missed) + 1
        if position > trials:
            return successes
        successes += 1
    return successes
