"""Where a share stands in the plan, what it needs there, and what comes next.

Positions follow the share, not the other way round: when the plan is edited on the way the fleet stays where it is. A share
that is no step of the plan any more stands between two; it needs what the step below it needs (the first step's needs before
all of them), and the next step is the first one above it.
"""

from __future__ import annotations

from datetime import datetime

from sark_api.spec import SarkRolloutSpec, Step
from sark_api.status import Bake, Phase, SarkRolloutStatus, StepProgress

from .lifecycle import is_terminal


def position(spec: SarkRolloutSpec, percent: int) -> tuple[int, int]:
    """Return the number of the last step not above `percent` (0 before all of them), and the number of steps."""
    plan = spec.plan()
    return sum(1 for step in plan if step.percent <= percent), len(plan)


def needs(spec: SarkRolloutSpec, percent: int) -> Step:
    """Return the step whose bake and hold a share of `percent` must fulfil."""
    index, _ = position(spec, percent)
    return spec.plan()[max(0, index - 1)]


def following(spec: SarkRolloutSpec, percent: int) -> Step | None:
    """Return the first step above `percent`, or None at the end of the plan."""
    return next((step for step in spec.plan() if step.percent > percent), None)


def compares(spec: SarkRolloutSpec) -> bool:
    """Return whether any step compares decisions in the shadow."""
    return any(step.shadow.sample_percent for step in spec.plan())


def first(spec: SarkRolloutSpec) -> Step:
    """Return the first step of the plan."""
    return spec.plan()[0]


def upcoming(spec: SarkRolloutSpec, step: StepProgress) -> Step | None:
    """Return the step that comes after the present one: the one the user asked to go to, else the next; None at the end."""
    if step.promoted_to is None:
        return following(spec, step.percent)
    return next((each for each in spec.plan() if each.percent == step.promoted_to > step.percent), None)


def sample(spec: SarkRolloutSpec, status: SarkRolloutStatus, now: datetime) -> int:
    """Return the share of requests to be compared in the shadow, in percent: the present step's, and none at rest."""
    if status.step is None or status.phase in (Phase.REVERTING, Phase.REVERTED) or is_terminal(spec, status, now):
        return 0
    return needs(spec, status.step.percent).shadow.sample_percent


def fresh_bake(spec: SarkRolloutSpec, percent: int) -> Bake:
    """Return the bake of a step that has just begun."""
    return Bake(required_seconds=int(needs(spec, percent).bake.total_seconds()), proven_milliseconds=0)
