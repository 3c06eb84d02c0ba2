"""What a status means: the share it wants, and whether anything can still happen by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sark_api.spec import SarkRolloutSpec
from sark_api.status import Phase, SarkRolloutStatus

FULL: Final = 100
"""The share at which the new arm serves every subject."""


def is_split(percent: int) -> bool:
    """Return whether both arms serve subjects: the state that must not last unwatched."""
    return 0 < percent < FULL


def wanted_percent(status: SarkRolloutStatus) -> int:
    """Return the share the status asks for, 0 to 100. The flags follow the status, never the other way round."""
    if status.step is None or status.phase in (Phase.REVERTING, Phase.REVERTED):
        return 0
    return status.step.percent


def in_step(status: SarkRolloutStatus) -> bool:
    """Return whether something is in force that can be taken back: a share, or the comparisons of a step of 0 %."""
    return status.step is not None and status.phase not in (Phase.REVERTING, Phase.REVERTED)


def begins_revert(before: SarkRolloutStatus, after: SarkRolloutStatus) -> bool:
    """Return whether `after` takes a share back, and `before` did not say so yet.

    It must not rest on the flags whether this is known: as long as it is not, the next tick decides on what it sees by then.
    """
    return after.phase is Phase.REVERTING and before.phase is not Phase.REVERTING


def watch_left(spec: SarkRolloutSpec, status: SarkRolloutStatus, now: datetime) -> timedelta:
    """Return how long a completed rollout is still watched; zero or less when the watch is over."""
    if status.completed_at is None:
        return spec.watch_after
    return status.completed_at + spec.watch_after - now


def is_terminal(spec: SarkRolloutSpec, status: SarkRolloutStatus, now: datetime) -> bool:
    """Return whether nothing will happen until the user acts: reverted, or completed with the watch over.

    A terminal rollout no longer holds its target: another one may start there.
    """
    if status.phase is Phase.COMPLETED:
        return watch_left(spec, status, now) <= timedelta(0)
    return status.phase is Phase.REVERTED
