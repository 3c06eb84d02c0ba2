"""When a bundle server is asked again, as OPA's downloader does it."""

from __future__ import annotations

import random
from dataclasses import dataclass

_FIRST_RETRY_SECONDS = 0.1
_GROWTH = 1.6
_JITTER = 0.2
_MOST_STEPS = 64
LONG_POLL_FLOOR_SECONDS = 1.0
"""A long poll that ends sooner without news is not repeated at once: its server does not wait."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Pauses in seconds."""

    min_delay: float
    max_delay: float

    def after_success(self) -> float:
        """Return a pause between min_delay and max_delay: a fleet that started together does not ask together."""
        return random.uniform(self.min_delay, self.max_delay)  # noqa: S311 - spreads load, keeps no secret

    def after_failures(self, failures: int) -> float:
        """Return a pause that grows with the failures in a row, at most max_delay, and never the same for a whole fleet."""
        grown = min(_FIRST_RETRY_SECONDS * _GROWTH ** min(failures, _MOST_STEPS), self.max_delay)
        return grown * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - as above
