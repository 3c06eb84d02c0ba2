"""What would take a rollout back to its baseline now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sark_api.names import LABEL_ALERT_ACTION
from sark_api.spec import Action, SarkRolloutSpec
from sark_api.status import CriterionStatus, Phase, SarkRolloutStatus

from .verdicts import alerts, deny_shift

_FULL: Final = 100


@dataclass(frozen=True, slots=True)
class WaysBack:
    """What a revert would follow from."""

    criteria: tuple[tuple[str, str], ...] = ()
    """Name and limit of every criterion whose breach takes the share back."""
    besides: tuple[str, ...] = ()
    """What takes it back whatever the criterion's own action says, each as a clause."""
    blind_for: timedelta | None = None
    """How long such a criterion may stay unseen; None where blindness takes nothing back."""
    blind_until: datetime | None = None
    """When blindness takes it back, while it is blind."""


def ways_back(spec: SarkRolloutSpec, status: SarkRolloutStatus) -> WaysBack:
    """Return what would take the share back to 0%; nothing where there is nothing to take back."""
    if status.step is None or status.phase in (Phase.REVERTING, Phase.REVERTED):
        return WaysBack()
    reverting = [each for each in status.criteria if each.action == Action.REVERT and each.name != alerts.NAME]
    criteria = tuple((each.name, each.limit) for each in reverting if each.limit)
    besides = tuple(filter(None, (_besides(spec, each) for each in status.criteria)))
    blind = spec.rollback.blind_for
    if not blind or not 0 < status.step.percent < _FULL:
        return WaysBack(criteria, besides)
    return WaysBack(criteria, besides, blind, status.blind_since + blind if status.blind_since else None)


def _besides(spec: SarkRolloutSpec, criterion: CriterionStatus) -> str:
    """Return how `criterion` takes the share back apart from its action; empty where it does not."""
    if criterion.name == deny_shift.NAME and criterion.action == Action.HOLD:
        beyond = f" beyond {criterion.limit}" if criterion.limit else ""
        return f"{deny_shift.NAME}{beyond} though its action is Hold, with {deny_shift.LOCKED_OUT}"
    if criterion.name == alerts.NAME:
        label, reverts = f"its label {LABEL_ALERT_ACTION}", spec.criteria.alerts.action == Action.REVERT
        return f"an alert about it, {f'unless {label} says Hold or Warn' if reverts else f'when {label} says Revert'}"
    return ""
