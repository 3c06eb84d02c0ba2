"""Until when: the earliest a rollout can be complete, if everything stays as good as it must be."""

from __future__ import annotations

from datetime import datetime, timedelta

from .rollout import Rollout


def completed_at(rollout: Rollout, step_done: datetime) -> datetime:
    """Return when the last step can be proven, when the present one is at `step_done`; every doubt makes it later.

    Windows and approvals of later steps are not reckoned with: `simulate` does.
    """
    present = rollout.status.step.percent if rollout.status.step else 0
    later = (step for step in rollout.spec.plan() if step.percent > present)
    return step_done + sum((max(step.bake, step.hold) for step in later), timedelta(0))
