"""Step 5 of a tick: the next step, when everything before it has been proven and nothing stands in the way."""

from __future__ import annotations

from datetime import datetime, timedelta

from sark_api import reasons
from sark_api.reasons import Reason
from sark_api.spec import Action
from sark_api.status import Bake, Phase, StepProgress, Verdict

from .figures import progress, sentences, span
from .finding import Finding, found
from .flag_document import is_ours, readable_document
from .gates import used_up, why_shut
from .judgement import judge, seeing, spoken, with_verdict
from .ledger import not_filed
from .lifecycle import FULL, is_split
from .plan import first, fresh_bake, needs, position, upcoming
from .tick import OPERATOR, Tick
from .verdicts.latency_p95 import judge_latency_p95


def advance(tick: Tick) -> None:
    """Start, go to the next step, or complete; else say what is being waited for."""
    if not tick.automatic:
        return
    if unfiled := not_filed(tick):
        tick.hold = tick.hold or unfiled
    elif tick.status.phase is Phase.PENDING:
        _start(tick)
    elif tick.status.phase is Phase.PROGRESSING:
        _go_on(tick)


def _start(tick: Tick) -> None:
    step = first(tick.spec)
    tick.hold = _why_not_started(tick, step.percent) or why_shut(tick, step)
    if tick.hold is None:
        _enter(tick, step.percent, reasons.STARTED)
        tick.change(started_at=tick.now)


def _why_not_started(tick: Tick, percent: int) -> Finding | None:
    """Return what must be so before the first subject is moved.

    At 0 % nothing is judged, since there is nothing of the new arm to judge. Yet metrics must be readable, and must not
    already say what would revert the step at its first tick: a leak of the sidecars themselves, or errors that an earlier
    rollout left in the window.
    """
    if tick.problems:
        return tick.problems[0]
    if not tick.sighting.may_start:
        return tick.sighting.finding
    document = readable_document(tick.observation.flags)
    if document is not None and is_ours(tick.identity, document) and not (document.percentage == 0 and tick.sighting.converged):
        return found(reasons.STARTING, what=f"first the sidecars must be back at 0%; {tick.sighting.finding.message}")
    verdicts = judge(tick.spec, percent, tick.observation.metrics, tick.status.baseline_p95_microseconds)
    if breaches := with_verdict(verdicts, Verdict.BREACH, Action.REVERT, Action.HOLD):
        return found(reasons.CRITERION_HOLDS, percent=0, verdicts=spoken(breaches))
    return None


def _go_on(tick: Tick) -> None:
    tick.hold = tick.hold or _why_not_further(tick)
    present = tick.status.step
    if tick.hold is not None or present is None:
        return
    step = upcoming(tick.spec, present)
    if step is None:
        _complete(tick)
        return
    tick.hold = _why_not_alone(tick, step.percent) or why_shut(tick, step)
    if tick.hold is None:
        _enter(tick, step.percent, reasons.ADVANCED)


def _why_not_alone(tick: Tick, percent: int) -> Finding | None:
    """Return why the new arm cannot serve by itself yet: by the p95 that nobody will measure any more it is too slow already.

    Where something slows both arms, each is as slow as the other, and nothing is wrong but the hour. At 100 % nothing tells
    that from an arm that is slow by itself, and all would go back.
    """
    criteria, arms = tick.spec.criteria, tick.observation.metrics.arms
    stored = tick.status.baseline_p95_microseconds
    if percent < FULL or not is_split(tick.percent):
        return None
    alone = judge_latency_p95(criteria.latency_p95, criteria.window, FULL, arms, stored_microseconds=stored)
    if seeing([alone]):
        return None
    reason = reasons.CRITERION_HOLDS if alone.verdict is Verdict.BREACH else reasons.CRITERION_UNKNOWN
    return found(reason, percent=tick.percent, verdicts=f"at {FULL}%, beside no baseline, {alone.message}")


def _why_not_further(tick: Tick) -> Finding | None:
    """Return which clock of the present step still runs; proof has found nothing wrong."""
    step, bake, since, percent = tick.status.step, tick.status.bake, tick.sighting.convergence.since, tick.percent
    if step is None or bake is None or since is None:
        return tick.sighting.finding
    need, window = needs(tick.spec, percent), tick.spec.criteria.window
    promoted = step.promoted_to is not None
    if not promoted and proven(bake) < need.bake:
        done, required = progress(proven(bake), need.bake).split("/")
        return found(reasons.BAKING, percent=percent, proven=done, required=required)
    if not promoted and (left := _left(tick.now, step.started_at, need.hold)):
        return found(reasons.HOLDING_TIME, percent=percent, hold=span(need.hold), left=span(left))
    metrics = tick.observation.metrics
    if left := _left(tick.now, since, window + metrics.age):
        return found(reasons.FILLING_WINDOW, percent=percent, window=span(window), left=span(left))
    return None


def proven(bake: Bake) -> timedelta:
    """Return the proven time of a step."""
    return timedelta(milliseconds=bake.proven_milliseconds)


def _left(now: datetime, since: datetime, length: timedelta) -> timedelta:
    return max(timedelta(0), since + length - now)


def _enter(tick: Tick, percent: int, reason: Reason) -> None:
    """Begin the step of `percent`: its bake starts at nothing, and every sidecar has to confirm it first."""
    before, evidence = tick.percent, _evidence(tick)
    index, total = position(tick.spec, percent)
    tick.change(
        phase=Phase.PROGRESSING,
        step=StepProgress(index=index, total=total, percent=percent, started_at=tick.now),
        convergence=None,
        approvals=used_up(tick.status.approvals, percent),
        awaited=None,
    )
    message = reason.sentence(from_percent=before, percent=percent, index=index, total=total, proof=evidence)
    tick.record(reason, OPERATOR, before, message)
    tick.look_again()
    tick.hold = tick.sighting.finding
    bake = fresh_bake(tick.spec, percent).model_copy(update={"frozen": tick.hold.message[:512]})
    tick.change(bake=bake, convergence=tick.sighting.convergence)


def _complete(tick: Tick) -> None:
    watch = f"watched for another {span(tick.spec.watch_after)}" if tick.spec.watch_after else "not watched any further"
    message = reasons.COMPLETED.sentence(percent=tick.percent, proof=_evidence(tick), watch=watch)
    tick.change(phase=Phase.COMPLETED, completed_at=tick.now)
    tick.record(reasons.COMPLETED, OPERATOR, tick.percent, message)


def _evidence(tick: Tick) -> str:
    """Return what was proven, for the record and for those who are told; what stood in the way is said to have only warned."""
    bake = tick.status.bake
    warned = [each.message if each.verdict is Verdict.PASS else f"{each.message} (only warns)" for each in tick.status.criteria]
    return f"{span(proven(bake))} proven; {sentences(warned)}" if bake else ""
