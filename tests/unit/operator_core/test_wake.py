from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Approval, Approvals, Day, Mode, Retry, Rollback, Window
from sark_e2e.simulated_target import SimulatedTarget, arm, quick_spec
from sark_operator.core.decide import decide
from sark_operator.core.observation import Missing


def wait(target: SimulatedTarget) -> timedelta:
    decision = target.tick(1)
    return decision.wake_at - target.now


@pytest.fixture
def patient(baking: SimulatedTarget) -> SimulatedTarget:
    """One that would look every ten minutes only."""
    baking.ask(interval=timedelta(minutes=10))
    return baking


def test_it_looks_again_after_the_interval(baking: SimulatedTarget) -> None:
    assert wait(baking) == timedelta(seconds=2)


def test_it_is_there_when_the_bake_is_done(patient: SimulatedTarget) -> None:
    assert wait(patient) <= timedelta(seconds=11)


def test_it_is_there_when_the_last_window_lies_inside_the_step(target: SimulatedTarget) -> None:
    # Given a window that is longer than the bake, and answers that are three seconds old
    window = target.spec.criteria.model_copy(update={"window": timedelta(seconds=40)})
    target.spec = target.spec.model_copy(update={"criteria": window, "valid_for": timedelta(hours=1)})
    target.run_to(5)
    target.run(30)
    target.metrics_age = timedelta(seconds=3)
    target.ask(interval=timedelta(minutes=10))

    # Then it looks again when even they are about nothing before the step
    decision = target.tick(1)
    assert target.status.convergence is not None
    assert target.status.convergence.since is not None
    assert decision.wake_at == target.status.convergence.since + timedelta(seconds=43)


def test_it_is_there_before_the_validity_ends(patient: SimulatedTarget) -> None:
    patient.ask(mode=Mode.PAUSED)

    assert wait(patient) <= timedelta(seconds=30)


def test_it_is_there_when_blindness_has_lasted_too_long(patient: SimulatedTarget) -> None:
    patient.ask(rollback=Rollback(blind_for=timedelta(seconds=9)))
    patient.arms = Missing("MetricsUnreachable", "no answer")

    assert wait(patient) == timedelta(seconds=9)


def test_it_asks_every_second_while_a_share_is_taken_over(patient: SimulatedTarget) -> None:
    patient.sidecars["gw-0"].following = False
    patient.arms = {ARM_NEW: arm(1000, 900), ARM_BASELINE: arm()}

    assert wait(patient) == wait(patient) == timedelta(seconds=1)


def test_it_is_there_when_a_window_opens(patient: SimulatedTarget) -> None:
    # It is a Thursday, some time after 12:00.
    patient.ask(windows=[Window(days=[Day.THU], start="12:03", end="13:00")], valid_for=timedelta(hours=1))
    patient.run(20)

    assert wait(patient) == patient.now.replace(minute=3, second=0, microsecond=0) - patient.now


def test_it_is_there_when_an_approval_is_no_longer_waited_for(patient: SimulatedTarget) -> None:
    gated = [step.model_copy(update={"approval": Approval.REQUIRED}) for step in patient.spec.plan()]
    patient.ask(steps=gated, approvals=Approvals(expire_after=timedelta(minutes=3)), valid_for=timedelta(hours=1))
    patient.run(20)

    assert patient.status.awaited is not None
    assert wait(patient) == patient.status.awaited.since + timedelta(minutes=3) - patient.now


def test_it_is_there_when_a_retry_is_due(patient: SimulatedTarget) -> None:
    patient.ask(rollback=Rollback(retry=Retry(limit=1, after=timedelta(minutes=2))))
    patient.arms = {ARM_NEW: arm(1000, 900), ARM_BASELINE: arm()}
    patient.run(4)

    assert patient.status.revert is not None
    assert patient.status.revert.completed_at is not None
    assert wait(patient) == patient.status.revert.completed_at + timedelta(minutes=2) - patient.now


def test_no_deadline_makes_it_spin(baking: SimulatedTarget) -> None:
    baking.now += timedelta(seconds=10.999)

    decision = baking.tick(0)

    assert decision.wake_at - baking.now >= timedelta(seconds=0.099)


@pytest.mark.parametrize("late", [310, 700, 86_400])
def test_a_renewal_that_is_due_and_cannot_be_written_is_tried_at_the_interval(late: int) -> None:
    # Given flags that another one owns and that are left to them, whose document is half through or has run out
    target = SimulatedTarget(spec=quick_spec(flagEdits="Hold", validFor="10m", interval="15s", rollback={"blindFor": "0s"}))
    target.run_to(25)
    target.run(3)
    seen = target.observe()
    assert not isinstance(seen.flags, Missing)
    held = replace(seen, flags=replace(seen.flags, owners=("argocd",)))

    # When it is decided on, then the next look is due after the interval, and not at once again and again
    now = target.now + timedelta(seconds=late)
    decision = decide(target.identity, target.spec, target.status, held, now)
    assert decision.status.reason == "FlagsHeld"
    assert decision.wake_at - now == timedelta(seconds=15)


def test_a_renewal_that_cannot_be_written_is_tried_sooner_the_less_is_left(baking: SimulatedTarget) -> None:
    # Given a document that is half through, and flags that cannot be read
    baking.ask(interval=timedelta(seconds=20))
    unreadable = replace(baking.observe(), flags=Missing("FlagsUnavailable", "not allowed"))

    # When it is decided on them, later and later
    waits = []
    for late in (35, 50, 55):
        now = baking.now + timedelta(seconds=late)
        waits.append(decide(baking.identity, baking.spec, baking.status, unreadable, now).wake_at - now)

    # Then there is time for another try before it runs out, and none follows another at once
    assert waits == sorted(waits, reverse=True)
    assert timedelta(seconds=10) < waits[0] <= timedelta(seconds=15)
    assert waits[-1] >= timedelta(seconds=1)
