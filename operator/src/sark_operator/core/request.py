"""What the user asks for once: Promote, Skip, Approve. Every request is answered once, and says itself what it is meant for.

Two things keep an old request from having an effect later: its id must be higher than that of the last one answered, which is
kept over attempts, and the attempt and the share it names must be those of the moment it is seen. Neither is known of a rollout
that was created with a request in it, as out of a backup: there nobody has asked for anything yet.
"""

from __future__ import annotations

from sark_api import reasons
from sark_api.spec import Approval, Request, RequestAction
from sark_api.status import ApprovalStatus, Phase, RequestStatus

from .finding import Finding, found
from .plan import following
from .tick import Tick

_ON_ITS_WAY = (Phase.PENDING, Phase.PROGRESSING, Phase.PAUSED)
_BY = 128


def follow_request(tick: Tick) -> None:
    """Answer a request that has not been answered yet: grant it, or refuse it with the reason."""
    asked, last = tick.spec.request, tick.status.request
    if asked is None or tick.identity.deleting or (last is not None and asked.id <= last.id):
        return
    by = _by(asked, tick.identity.requested_by)
    why = _refusal(tick, asked)
    answer = (
        found(reasons.REQUEST_REFUSED, id=asked.id, action=asked.action, by=by, why=why) if why else _grant(tick, asked, by)
    )
    tick.change(
        request=RequestStatus(
            id=asked.id, action=asked.action, granted=not why, message=answer.message, by=by, answered_at=tick.now
        )
    )
    tick.record(answer.reason, f"user by request: {by}"[:_BY], tick.percent, answer.message)


def _by(asked: Request, manager: str) -> str:
    """Return who asks: the name given, and what wrote it."""
    name = asked.by or "an unnamed user"
    return (f"{name} via {manager}" if manager else name)[:_BY]


def _refusal(tick: Tick, asked: Request) -> str:
    """Return why it is refused, as a clause, or an empty string."""
    attempt, phase = tick.status.attempt, tick.status.phase
    if tick.before.observed_generation == 0:
        return "it was in the rollout before that was evaluated for the first time; ask again"
    if asked.attempt != attempt:
        return f"it is meant for attempt {asked.attempt}, this is attempt {attempt}"
    if phase not in _ON_ITS_WAY:
        return f"the rollout is {phase}"
    return _unfit_approval(tick, asked) if asked.action is RequestAction.APPROVE else _unfit_advance(tick, asked)


def _unfit_approval(tick: Tick, asked: Request) -> str:
    present = tick.status.step.percent if tick.status.step else -1
    step = next((each for each in tick.spec.plan() if each.percent == asked.percent), None)
    if step is None:
        return f"the plan has no step of {asked.percent}%"
    if asked.percent <= present:
        return f"the rollout is at {present}% already"
    return "" if step.approval is Approval.REQUIRED else f"the step of {asked.percent}% needs no approval"


def _unfit_advance(tick: Tick, asked: Request) -> str:
    step, phase = tick.status.step, tick.status.phase
    if step is None or phase is not Phase.PROGRESSING:
        return f"the rollout is {phase}, and only one in a step can go on"
    if asked.percent != step.percent:
        return f"it is meant for {asked.percent}%, the rollout is at {step.percent}%"
    if asked.action is RequestAction.SKIP and asked.to not in [each.percent for each in tick.spec.plan()]:
        return f"the plan has no step of {asked.to}%"
    if asked.to is not None and asked.to <= asked.percent:
        return f"it goes from {asked.percent}% to {asked.to}%, and a request never lowers the share"
    return ""


def _grant(tick: Tick, asked: Request, by: str) -> Finding:
    if asked.action is RequestAction.APPROVE:
        given = ApprovalStatus(percent=asked.percent, request=asked.id, by=by, given_at=tick.now)
        others = [each for each in tick.status.approvals if each.percent != asked.percent]
        awaited = tick.status.awaited
        answered = awaited is not None and awaited.percent == asked.percent
        tick.change(approvals=[*others, given], awaited=None if answered else awaited)
        return found(reasons.STEP_APPROVED, by=by, step=asked.percent)
    target = following(tick.spec, asked.percent)
    to = asked.to or (target.percent if target else asked.percent)
    if tick.status.step is not None:
        tick.change(step=tick.status.step.model_copy(update={"promoted_to": to}))
    goal = f"{to}%" if to > asked.percent else "completion"
    if asked.action is RequestAction.PROMOTE:
        return found(reasons.PROMOTED, percent=asked.percent, by=by, to=goal)
    between = [f"{each.percent}%" for each in tick.spec.plan() if asked.percent < each.percent < to]
    return found(reasons.STEPS_SKIPPED, percent=asked.percent, by=by, to=goal, skipped=", ".join(between) or "nothing")
