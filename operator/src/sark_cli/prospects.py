"""What comes next and what it waits for, and how far each criterion is from its limit: numbers for the screen."""

from __future__ import annotations

from datetime import datetime

from sark_api.duration import format_duration
from sark_api.spec import SarkRolloutSpec
from sark_api.status import CriterionStatus, Next, SarkRolloutStatus, Wait, WaitKind
from sark_operator.core.ahead import ahead
from sark_operator.core.nearness import odds, share_of_limit
from sark_operator.core.sequential.weight import DOUBTFUL

from .outlook import completed_at
from .rollout import Rollout
from .times import age, moment


def what_next(rollout: Rollout, now: datetime) -> tuple[str, str]:
    """Return what comes next, and when at the earliest; two empty texts when nothing does without the user."""
    coming = _ahead(rollout, now)
    if coming is None:
        return "", ""
    watch = any(wait.kind is WaitKind.WATCH for wait in coming.waits)
    what = "end of the watch" if watch else f"{coming.percent}%" if coming.percent else "completed"
    if coming.earliest is None:
        blocked = any(wait.until is None for wait in coming.waits)
        return what, "no time can be said, see what it waits for" if blocked else "at the next evaluation"
    when = f"at the earliest {moment(coming.earliest)}, in {age(coming.earliest - now)}"
    done = None if watch else completed_at(rollout, coming.earliest)
    return what, f"{when}; all steps {moment(done)}" if done and done != coming.earliest else when


def waits(rollout: Rollout, now: datetime) -> list[str]:
    """Return what it waits for, each as a clause with what is left of it."""
    coming = _ahead(rollout, now)
    return [_clause(rollout, wait, now) for wait in coming.waits if wait.kind is not WaitKind.WATCH] if coming else []


def how_far(criterion: CriterionStatus) -> str:
    """Return how much of its limit the value is, and the evidence once there is some; a dash where neither can be said."""
    share, weight = share_of_limit(criterion), odds(criterion)
    parts = [f"{share:.0%}"] if share is not None else []
    if weight is not None and weight[0] >= DOUBTFUL:
        parts.append(f"evidence {weight[0]:,}/{weight[1]:,}")
    return ", ".join(parts) or "-"


def _ahead(rollout: Rollout, now: datetime) -> Next | None:
    return None if rollout.deleting or not rollout.status.conditions else ahead(rollout.spec, rollout.status, now)


def _clause(rollout: Rollout, wait: Wait, now: datetime) -> str:
    if wait.until is not None:
        return f"{wait.text}, until {moment(wait.until)} ({age(wait.until - now)} left)"
    if wait.kind is WaitKind.SAMPLES:
        name = wait.text.partition(" ")[0]
        few = next((each for each in rollout.status.criteria if each.name == name), None)
        return wait.text + (_at_this_rate(rollout.spec, rollout.status, few, now) if few else "")
    return wait.text


def _at_this_rate(spec: SarkRolloutSpec, status: SarkRolloutStatus, few: CriterionStatus, now: datetime) -> str:
    """Return when there are enough samples if they go on coming as they do, as the end of a sentence."""
    window, step = spec.criteria.window, status.step
    seen = min(window, now - step.started_at) if step else window
    if not few.samples or not seen:
        return ", and none come"
    full = few.samples * (window / seen)
    if full < few.min_samples:
        return f"; at this rate {format_duration(window)} hold {int(full):,}, which is never enough"
    return f"; at this rate in {age(seen * (few.min_samples / few.samples) - seen)}"
