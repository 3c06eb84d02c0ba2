"""What would take a rollout back to its baseline now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sark_api.spec import Action, SarkRolloutSpec
from sark_api.status import Phase, SarkRolloutStatus

_FULL: Final = 100


@dataclass(frozen=True, slots=True)
class WaysBack:
    """What a revert would follow from."""

    criteria: tuple[tuple[str, str], ...] = ()
    """Name and limit of every criterion whose breach takes the share back."""
    blind_for: timedelta | None = None
    """How long such a criterion may stay unseen; None where blindness takes nothing back."""
    blind_until: datetime | None = None
    """When blindness takes it back, while it is blind."""


def ways_back(spec: SarkRolloutSpec, status: SarkRolloutStatus) -> WaysBack:
    """Return what would take the share back to 0%; nothing where there is nothing to take back."""
    if status.step is None or status.phase in (Phase.REVERTING, Phase.REVERTED):
        return WaysBack()
    criteria = tuple((each.name, each.limit) for each in status.criteria if each.action == Action.REVERT and each.limit)
    blind = spec.rollback.blind_for
    if not blind or not 0 < status.step.percent < _FULL:
        return WaysBack(criteria)
    return WaysBack(criteria, blind, status.blind_since + blind if status.blind_since else None)
