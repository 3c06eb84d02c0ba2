from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Approval, Approvals, Mode, OnExpiry, Request, Step
from sark_api.status import Phase
from sark_e2e.simulated_target import SimulatedTarget, arm

LONG = timedelta(hours=48)
GATED = [
    Step(percent=5, bake=timedelta(seconds=15)),
    Step(percent=25, bake=timedelta(seconds=15)),
    Step(percent=50, bake=timedelta(seconds=15), approval=Approval.REQUIRED),
    Step(percent=100, bake=timedelta(seconds=15)),
]


def request(number: int, action: str, percent: int, *, attempt: int = 1, to: int | None = None, by: str = "") -> Request:
    return Request.model_validate({"id": number, "action": action, "attempt": attempt, "percent": percent, "to": to, "by": by})


def slow(target: SimulatedTarget) -> SimulatedTarget:
    """Make every step's bake and hold last for days."""
    percents = (5, 10, 25, 50, 100)
    target.ask(steps=[Step(percent=percent, bake=LONG, hold=LONG) for percent in percents])
    target.tick(1)
    return target


def answer(target: SimulatedTarget) -> tuple[bool, str]:
    assert target.status.request is not None
    return target.status.request.granted, target.status.request.message


def test_a_promotion_leaves_out_the_rest_of_bake_and_hold(baking: SimulatedTarget) -> None:
    slow(baking).run(20)
    assert baking.percent == 25
    baking.identity = replace(baking.identity, requested_by="sark-rollout")
    baking.ask(request=request(1, "Promote", 25, by="alice"))

    decision = baking.tick(1)

    assert baking.percent == 50
    assert [record.reason for record in decision.records] == ["Promoted", "Advanced"]
    assert decision.records[0].actor == "user by request: alice via sark-rollout"
    baking.run(100)
    assert baking.percent == 50


def test_a_promotion_never_goes_past_what_is_not_proven_now(baking: SimulatedTarget) -> None:
    slow(baking)
    baking.arms = {ARM_NEW: arm(3), ARM_BASELINE: arm()}
    baking.ask(request=request(1, "Promote", 25))
    baking.run(30)
    assert (baking.percent, baking.status.reason) == (25, "CriterionUnknown")

    baking.sidecars["gw-0"].reachable = False
    baking.arms = {ARM_NEW: arm(), ARM_BASELINE: arm()}
    baking.run(10)
    assert (baking.percent, baking.status.reason) == (25, "SidecarsUnreachable")

    baking.sidecars["gw-0"].reachable = True
    baking.run(12)
    assert baking.percent == 50


def test_a_breach_reverts_a_promoted_step_too(baking: SimulatedTarget) -> None:
    slow(baking)
    baking.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}
    baking.ask(request=request(1, "Promote", 25))
    baking.run(3)

    assert (baking.percent, baking.status.phase) == (0, Phase.REVERTED)
    assert answer(baking) == (False, "Request 1 (Promote) of an unnamed user was refused: the rollout is Reverting")


def test_the_last_step_can_be_promoted_to_completion(target: SimulatedTarget) -> None:
    target.run_to(100)
    slow(target).run(12)
    target.ask(request=request(1, "Promote", 100))
    target.tick(1)

    assert target.status.phase is Phase.COMPLETED
    assert "goes on to completion" in answer(target)[1]


def test_a_skip_leaves_out_the_steps_in_between(baking: SimulatedTarget) -> None:
    slow(baking).run(12)
    baking.ask(request=request(1, "Skip", 25, to=100))
    decision = baking.tick(1)

    assert baking.percent == 100
    assert "leaving out 50%" in decision.records[0].message
    assert decision.records[1].message.startswith("Advanced from 25% to 100% (step 5 of 5)")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (request(1, "Promote", 25, attempt=2), "it is meant for attempt 2, this is attempt 1"),
        (request(1, "Promote", 10), "it is meant for 10%, the rollout is at 25%"),
        (request(1, "Skip", 25, to=60), "the plan has no step of 60%"),
        # The API server refuses these two: the operator does not rest on that.
        (request(1, "Skip", 25, to=25), "it goes from 25% to 25%, and a request never lowers the share"),
        (request(1, "Skip", 25, to=10), "it goes from 25% to 10%, and a request never lowers the share"),
        (request(1, "Approve", 60), "the plan has no step of 60%"),
        (request(1, "Approve", 10), "the rollout is at 25% already"),
        (request(1, "Approve", 50), "the step of 50% needs no approval"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(baking: SimulatedTarget, asked: Request, why: str) -> None:
    slow(baking)
    baking.ask(request=asked)
    decision = baking.tick(1)

    assert [record.reason for record in decision.records] == ["RequestRefused"]
    assert answer(baking)[1].endswith(f"was refused: {why}")
    baking.run(30)
    assert baking.percent == 25


def test_while_paused_nothing_is_promoted(baking: SimulatedTarget) -> None:
    baking.ask(mode=Mode.PAUSED, request=request(1, "Promote", 25))
    baking.tick(1)
    assert answer(baking)[0] is False


def test_an_answered_request_has_no_effect_later(baking: SimulatedTarget) -> None:
    # Given a promotion that was refused because it came too early
    baking.ask(request=request(7, "Promote", 50))
    baking.tick(1)
    assert answer(baking)[0] is False
    # When the rollout comes to the share it names, with the request still in the spec, or taken back and written again
    slow_after = [Step(percent=percent, bake=LONG if percent >= 50 else timedelta(seconds=15)) for percent in (25, 50, 100)]
    baking.ask(steps=slow_after)
    baking.run_to(50)
    baking.ask(request=None)
    baking.run(20)
    baking.ask(request=request(7, "Promote", 50))
    baking.run(20)
    # Then it stays there, and so it does for a lower number
    baking.ask(request=request(6, "Promote", 50))
    baking.run(20)
    assert baking.percent == 50
    assert baking.status.request is not None
    assert baking.status.request.id == 7


def test_a_request_of_one_attempt_has_no_effect_in_the_next(baking: SimulatedTarget) -> None:
    slow(baking)
    baking.arms = {ARM_NEW: arm(3), ARM_BASELINE: arm()}
    baking.ask(request=request(1, "Promote", 25))
    baking.run(65)
    assert baking.status.reason == "BlindTooLong"

    baking.arms = {ARM_NEW: arm(), ARM_BASELINE: arm()}
    baking.ask(attempt=2)
    baking.run_to(5)
    baking.run(60)
    assert (baking.percent, baking.status.step and baking.status.step.promoted_to) == (5, None)


def test_a_promotion_lost_with_the_operator_is_answered_by_the_next(baking: SimulatedTarget) -> None:
    slow(baking).run(12)
    baking.ask(request=request(1, "Promote", 25))
    baking.tick(1, die_after=0)
    assert baking.status.request is None

    baking.tick(1)
    assert baking.percent == 50


def test_a_promotion_is_forgotten_when_its_step_is_taken_out_of_the_plan(baking: SimulatedTarget) -> None:
    slow(baking)
    baking.arms = {ARM_NEW: arm(3), ARM_BASELINE: arm()}
    baking.ask(request=request(1, "Promote", 25))
    baking.tick(1)
    baking.ask(steps=[Step(percent=25, bake=LONG), Step(percent=100, bake=LONG)])
    baking.arms = {ARM_NEW: arm(), ARM_BASELINE: arm()}
    baking.run(40)

    assert baking.percent == 25


# Approvals.


@pytest.fixture
def gated(target: SimulatedTarget) -> SimulatedTarget:
    """A rollout that is proven at 25 % and waits for the approval of 50 %."""
    target.ask(steps=GATED)
    target.run_to(25)
    target.run(30)
    assert (target.percent, target.status.reason) == (25, "ApprovalAwaited")
    return target


def test_a_gated_step_waits_and_says_so_once(gated: SimulatedTarget) -> None:
    reasons = [entry.reason for entry in gated.status.history]

    assert reasons.count("ApprovalAwaited") == 1
    assert "the step of 50% waits for approval, another 167h" in gated.status.message
    progressing = next(each for each in gated.status.conditions if each.type == "Progressing")
    assert progressing.status == "False"


def test_an_approval_lets_the_step_begin_and_is_used_up(gated: SimulatedTarget) -> None:
    gated.ask(request=request(1, "Approve", 50, by="bob"))
    decision = gated.tick(1)

    assert (gated.percent, gated.status.approvals, gated.status.awaited) == (50, [], None)
    assert [record.reason for record in decision.records] == ["StepApproved", "Advanced"]


def test_an_approval_may_be_given_ahead_and_is_void_after_a_revert(target: SimulatedTarget) -> None:
    target.ask(steps=GATED)
    target.run_to(5)
    target.ask(request=request(1, "Approve", 50))
    target.tick(1)
    assert [each.percent for each in target.status.approvals] == [50]
    target.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}
    target.run(3)
    assert target.status.approvals == []  # also where it is tried again by itself
    target.arms = {ARM_NEW: arm(), ARM_BASELINE: arm()}
    target.ask(attempt=2)
    target.run_to(25)
    target.run(30)

    assert (target.percent, target.status.reason) == (25, "ApprovalAwaited")


def test_an_approval_lapses(target: SimulatedTarget) -> None:
    target.ask(steps=GATED, approvals=Approvals(valid_for=timedelta(seconds=20)))
    target.run_to(5)
    target.ask(request=request(1, "Approve", 50))
    target.run_to(25)
    target.run(30)

    assert (target.percent, target.status.reason) == (25, "ApprovalAwaited")


def test_promotion_and_skipping_do_not_stand_in_for_an_approval(gated: SimulatedTarget) -> None:
    gated.ask(request=request(1, "Promote", 25))
    gated.run(5)
    gated.ask(request=request(2, "Skip", 25, to=100))
    gated.run(5)
    assert (gated.percent, gated.status.reason) == (25, "ApprovalAwaited")

    gated.ask(request=request(3, "Approve", 50))
    gated.tick(1)
    assert gated.percent == 100


def test_the_first_step_can_need_approval(target: SimulatedTarget) -> None:
    target.ask(steps=[Step(percent=100, bake=timedelta(seconds=15), approval=Approval.REQUIRED)])
    target.run(10)
    assert (target.written, target.status.reason) == ([], "ApprovalAwaited")

    target.ask(request=request(1, "Approve", 100))
    target.run_to(100)


@pytest.mark.parametrize("then", OnExpiry)
def test_an_approval_that_does_not_come_in_time(gated: SimulatedTarget, then: OnExpiry) -> None:
    gated.ask(approvals=Approvals(expire_after=timedelta(minutes=1), on_expiry=then))
    gated.run(70)

    reasons = [entry.reason for entry in gated.status.history]
    if then is OnExpiry.REVERT:
        assert (gated.percent, gated.status.reason, reasons[-2:]) == (
            0,
            "ApprovalMissed",
            ["ApprovalMissed", "BaselineRestored"],
        )
        return
    assert (gated.percent, gated.status.reason, reasons.count("ApprovalExpired")) == (25, "ApprovalExpired", 1)
    gated.ask(request=request(1, "Approve", 50))
    gated.tick(1)
    assert gated.percent == 50


def test_an_approval_of_a_later_step_gives_the_awaited_one_no_more_time(gated: SimulatedTarget) -> None:
    # Given a step that waits for approval, for a minute at most
    steps = [step.model_copy(update={"approval": Approval.REQUIRED}) for step in gated.spec.plan()]
    gated.ask(steps=steps, approvals=Approvals(expire_after=timedelta(minutes=1), on_expiry=OnExpiry.REVERT))
    gated.tick(1)
    awaited = gated.status.awaited

    # When another one is approved, then it still waits since when it did
    gated.ask(request=request(1, "Approve", 100))
    decision = gated.tick(1)
    assert awaited is not None
    assert gated.status.awaited == awaited
    assert [record.reason for record in decision.records] == ["StepApproved"]


def test_a_breach_reverts_while_an_approval_is_awaited(gated: SimulatedTarget) -> None:
    gated.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}
    gated.tick(1)

    assert gated.percent == 0


def test_a_request_out_of_a_backup_approves_nothing(target: SimulatedTarget) -> None:
    # Given an object created with the request in it that another one was approved with
    target.ask(steps=GATED, request=request(1, "Approve", 50))

    # When it is evaluated, then the request is refused with the reason, and the step waits
    target.run(120)
    granted, message = answer(target)
    assert not granted
    assert "it was in the rollout before that was evaluated for the first time; ask again" in message
    assert (target.percent, target.status.reason) == (25, "ApprovalAwaited")

    # And one that is asked for now is answered
    target.ask(request=request(2, "Approve", 50))
    target.run(3)
    assert answer(target)[0]
