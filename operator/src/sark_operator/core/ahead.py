"""What the rollout waits for before it goes on, and when each of it ends at the earliest.

Everything here follows from spec, status and time, so the operator stores it and the command reckons it anew. An instant is
named only where a clock alone will reach it: what a person or a number has to bring has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sark_api.spec import Action, Approval, Mode, SarkRolloutSpec, Step
from sark_api.status import CriterionStatus, Next, Phase, SarkRolloutStatus, Verdict, Wait, WaitKind

from .figures import progress
from .lifecycle import watch_left
from .plan import first, needs, upcoming
from .retry import due_at
from .windows import UnknownZoneError, is_open, opens_at

_MOST: Final = 16
_TEXT: Final = 256


def ahead(spec: SarkRolloutSpec, status: SarkRolloutStatus, now: datetime) -> Next | None:
    """Return what comes next and what it waits for; None when nothing comes without the user."""
    match status.phase:
        case Phase.PENDING if spec.mode is Mode.AUTO:
            return _next(first(spec), list(_gates(spec, status, first(spec), now)))
        case Phase.PROGRESSING | Phase.PAUSED if status.step is not None:
            step = upcoming(spec, status.step)
            waits = [*_proof(spec, status, now)]
            earliest = max((each.until for each in waits if each.until), default=now)
            if step is not None:
                waits += _gates(spec, status, step, max(now, earliest))
            return _next(step, waits)
        case Phase.REVERTED:
            due = due_at(spec, status)
            if due is None:
                return None
            retry = f"retry {status.retries + 1} of {spec.rollback.retry.limit} after its cool-down"
            # Once it is due something else holds it, which the message tells.
            return _next(first(spec), [_wait(WaitKind.RETRY, retry, due if due > now else None)])
        case Phase.COMPLETED if (left := watch_left(spec, status, now)) > timedelta(0):
            return _next(None, [_wait(WaitKind.WATCH, "a breach still reverts until the watch is over", now + left)])
        case _:
            return None


def _next(step: Step | None, waits: list[Wait]) -> Next:
    """Return what comes; the earliest instant is known when every wait has one."""
    known = [each.until for each in waits]
    earliest = max((at for at in known if at is not None), default=None) if None not in known else None
    return Next(percent=step.percent if step else None, earliest=earliest, waits=waits[:_MOST])


def _proof(spec: SarkRolloutSpec, status: SarkRolloutStatus, now: datetime) -> Iterator[Wait]:
    """Yield what the present step itself still needs."""
    step, bake = status.step, status.bake
    if step is None or bake is None:
        return
    if status.phase is Phase.PAUSED:
        yield _wait(WaitKind.USER, "the rollout is paused: spec.mode must be Auto again")
    seen = status.convergence
    if seen is None or seen.since is None:
        confirmed = f"{seen.confirmed} of {seen.total}" if seen else "none"
        yield _wait(WaitKind.SIDECARS, f"every ready sidecar must confirm {step.percent}%: {confirmed} did")
    yield from filter(None, map(_criterion, status.criteria))
    need = needs(spec, step.percent)
    if step.promoted_to is None:
        proven = timedelta(milliseconds=bake.proven_milliseconds)
        if left := max(timedelta(0), need.bake - proven):
            counting = bake.counted_at is not None and not bake.frozen
            stands = "" if counting else ", and the clock stands still"
            text = f"{progress(proven, need.bake)} of the bake proven{stands}"
            yield _wait(WaitKind.BAKE, text, bake.counted_at + left if counting and bake.counted_at else None)
        if step.started_at + need.hold > now:
            yield _wait(WaitKind.HOLD, "the step's least time (hold)", step.started_at + need.hold)
    if seen is not None and seen.since is not None and seen.since + spec.criteria.window > now:
        yield _wait(
            WaitKind.METRICS, "the last metric window must lie wholly inside the step", seen.since + spec.criteria.window
        )


def _criterion(criterion: CriterionStatus) -> Wait | None:
    """Return that a criterion stands in the way; one that only warns never does."""
    if criterion.verdict is Verdict.PASS or criterion.action == Action.WARN:
        return None
    if criterion.verdict is Verdict.UNKNOWN and criterion.samples < criterion.min_samples:
        text = f"{criterion.name} needs {criterion.min_samples:,} samples in its window and has {criterion.samples:,}"
        return _wait(WaitKind.SAMPLES, text)
    return _wait(WaitKind.CRITERION, f"{criterion.name} must pass and is {criterion.verdict}")


def _gates(spec: SarkRolloutSpec, status: SarkRolloutStatus, step: Step, earliest: datetime) -> Iterator[Wait]:
    """Yield what must be given, or be open, before `step` begins at `earliest` or later."""
    present = status.step.percent if status.step else -1
    given = {each.percent for each in status.approvals}
    for each in spec.plan():
        if present < each.percent <= step.percent and each.approval is Approval.REQUIRED and each.percent not in given:
            awaited = status.awaited if status.awaited and status.awaited.percent == each.percent else None
            expire = spec.approvals.expire_after
            until = f", waited for until {awaited.since + expire:%Y-%m-%d %H:%M}Z" if awaited and expire else ""
            yield _wait(WaitKind.APPROVAL, f"the step of {each.percent}% needs an approval{until}")
    try:
        if not is_open(spec.windows, earliest):
            yield _wait(WaitKind.WINDOW, "steps begin inside a window only", opens_at(spec.windows, earliest))
    except UnknownZoneError as error:
        yield _wait(WaitKind.WINDOW, f"the operator does not know the time zone {error}")


def _wait(kind: WaitKind, text: str, until: datetime | None = None) -> Wait:
    return Wait(kind=kind, text=text[:_TEXT], until=until)
