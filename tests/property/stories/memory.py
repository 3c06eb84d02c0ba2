"""What a story remembers from one evaluation to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Memory:
    """What was true when the status was stored last."""

    proven: bool = False
    """Whether everything had converged and all that can hold passed."""
    sure: bool = False
    """Whether there was, besides, nothing at all that might keep the bake from counting."""
    allowance: float = 0.0
    """Milliseconds the present step can have proven at most."""
    converged_since: datetime | None = None
    blind_since: datetime | None = None
    step_since: datetime | None = None
    """Since when the present step has been in force, or has begun again."""
    awaited_since: datetime | None = None
    """Since when an approval has been waited for."""
    suffered: frozenset[str] = frozenset()
    """Criteria that have looked bad in this attempt."""
    lasting: tuple[str, int, int] = ("", 0, 0)
    """A criterion that looks bad, the share at which it does, and the counting windows that have shown it since it began."""
    slow_baseline: bool = False
    """Whether the baseline arm was slow itself when it was measured first in this attempt."""
    counted_until: datetime | None = None
    """End of the last counting window that can have been counted."""
    promoted: int | None = None
    """The share up to which a promotion was granted that no step has used yet, and no edit of the features made void."""
    granted: Mapping[int, datetime] = field(default_factory=dict)
    """When which request was granted."""
