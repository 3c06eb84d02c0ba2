"""How often what happened, over all stories: invariants that held because nothing happened have not been tested."""

from __future__ import annotations

from collections import Counter

from hypothesis import currently_in_test_context, event

TALLY: Counter[str] = Counter()


def noted(what: str) -> None:
    """Count what happened, here and in Hypothesis' statistics."""
    if currently_in_test_context():
        event(what)
    TALLY[what] += 1
