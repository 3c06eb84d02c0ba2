"""Until when: the earliest a rollout can go on and be complete, if everything stays as good as it must be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sark_api.status import Phase

from .rollout import Rollout


@dataclass(frozen=True, slots=True)
class Outlook:
    """Earliest times; each is a promise of nothing, since every doubt freezes the bake."""

    step_done: datetime
    """When the present step can be proven."""
    completed: datetime
    """When the last one can."""


def outlook(rollout: Rollout, now: datetime) -> Outlook | None:
    """Return the earliest times of a rollout that is in a step, or None when it is in none or rests."""
    status = rollout.status
    step, bake = status.step, status.bake
    if step is None or bake is None or status.phase is not Phase.PROGRESSING:
        return None
    plan = rollout.spec.plan()
    present = plan[max(0, min(step.index, len(plan)) - 1)]
    unproven = timedelta(seconds=bake.required_seconds) - timedelta(milliseconds=bake.proven_milliseconds)
    held = step.started_at + present.hold - now
    done = now + max(unproven, held, timedelta(0))
    rest = sum((max(later.bake, later.hold) for later in plan if later.percent > step.percent), timedelta(0))
    return Outlook(done, done + rest)
