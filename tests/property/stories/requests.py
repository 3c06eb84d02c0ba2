"""What is asked for once: requests, and approvals with their time."""

from __future__ import annotations

from sark_api.spec import OnExpiry, RequestAction

from .moment import RESTARTS, Moment
from .tally import noted

ANSWERS = {"Promoted", "StepsSkipped", "StepApproved", "RequestRefused"}


def promoted(moment: Moment) -> int | None:
    """Return the share that was asked for by a promotion that has not been used, granted in this tick or before."""
    spec, before, after = moment.spec, moment.before, moment.after
    asked, now = spec.request, after.request if after.request != before.request else None
    if now is not None and now.granted and asked is not None and asked.action is not RequestAction.APPROVE:
        return asked.to or min(step.percent for step in spec.plan() if step.percent > moment.share)
    to = before.step.promoted_to if before.step else None
    return to if to in {step.percent for step in spec.plan()} else None


def approved_now(moment: Moment) -> set[int]:
    """Return the step whose approval is granted in this tick."""
    asked, answer = moment.spec.request, moment.after.request
    if asked is None or answer is None or answer == moment.before.request or asked.action is not RequestAction.APPROVE:
        return set()
    return {asked.percent} if answer.granted else set()


def check_requests(moment: Moment, answered: set[int]) -> None:
    """A request is answered once, for the attempt and the share it names, and numbers never go back."""
    before, asked = moment.before, moment.spec.request
    old, new = before.request, moment.after.request
    if new == old:
        assert not ANSWERS & moment.reasons
        return
    assert new is not None
    assert asked is not None
    assert new.id == asked.id > (old.id if old else 0)
    assert new.id not in answered
    noted(f"{new.action} {'granted' if new.granted else 'refused'}")
    assert not new.granted or asked.attempt == moment.after.attempt, "granted to another attempt than was meant"
    if new.granted and asked.action is not RequestAction.APPROVE:
        assert before.step is not None
        assert asked.percent == before.step.percent


def check_promotion(moment: Moment) -> None:
    """What was granted is kept until a step has used it, or a record tells why it is void."""
    granted, step = moment.known.promoted, moment.after.step
    void = {"FeaturesEdited", "PlanEdited"} | RESTARTS
    if granted is None or step is None or step.percent != moment.share or void & moment.reasons:
        return
    noted("a promotion is kept")
    now = moment.after.request
    assert step.promoted_to == granted or (now is not None and now != moment.before.request), "a promotion has vanished"


def check_expiry(moment: Moment) -> None:
    """An approval is waited for as long as is asked now, and then what is asked now is done."""
    rules, waited, reason = moment.spec.approvals, moment.awaited_for, moment.after.reason
    if reason == "ApprovalAwaited":
        assert not rules.expire_after or waited < rules.expire_after, "waited on"
    if reason == "ApprovalExpired":
        assert rules.expire_after
        assert waited >= rules.expire_after
        assert rules.on_expiry is OnExpiry.HOLD or moment.before.step is None
