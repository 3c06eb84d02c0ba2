"""Which answer of Prometheus comes before which, where there are more than can be read."""

from __future__ import annotations

from enum import IntEnum


class Precedence(IntEnum):
    """The first come first."""

    SIGN = 0
    """It may be the first to show a breach, or is needed to see it: whatever waits for it, and if nobody does."""
    AWAITED = 1
    """Evaluations wait for it."""
    RENEWED = 2
    """It only renews one that goes on meanwhile."""
