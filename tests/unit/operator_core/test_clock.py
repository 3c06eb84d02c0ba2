"""What the operator's clock does to a rollout when it is set, as docs/operations.md says: never an unproven share.

The operator of these tests is the only one whose clock is set; a failover to a machine with another clock is the same.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Approval, Approvals, OnExpiry, Request, RequestAction, Retry, Rollback, Step
from sark_api.status import Phase
from sark_e2e.simulated_target import SimulatedTarget, arm
from sark_operator.core.observation import Missing

AWAY = Missing("MetricsUnreachable", "no answer")
DAY = 86_400
MINUTE = timedelta(minutes=1)
SHORT = timedelta(seconds=15)


@pytest.fixture
def holding(baking: SimulatedTarget) -> SimulatedTarget:
    """At 25 %, proven, and half through a hold of two minutes."""
    baking.ask(steps=[Step(percent=percent, bake=SHORT, hold=2 * MINUTE) for percent in (5, 25, 100)])
    baking.run(60)
    assert baking.status.reason == "HoldingTime"
    return baking


@pytest.fixture
def blind(baking: SimulatedTarget) -> SimulatedTarget:
    """At 25 %, and not seen for 40 of 60 seconds."""
    baking.arms = AWAY
    baking.run(40)
    assert baking.status.blind_since is not None
    return baking


@pytest.fixture
def reverted(baking: SimulatedTarget) -> SimulatedTarget:
    """Taken back, with a retry two minutes later."""
    baking.ask(rollback=Rollback(retry=Retry(limit=1, after=2 * MINUTE)))
    baking.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}
    baking.run(3)
    baking.arms = {ARM_NEW: arm(), ARM_BASELINE: arm()}
    assert baking.status.phase is Phase.REVERTED
    return baking


def windows(target: SimulatedTarget) -> int:
    return next(each.windows for each in target.status.evidence if each.name == "errorRate")


# Set back: every span that is under way begins again, and what was proven stays.


def test_a_hold_begins_again(holding: SimulatedTarget) -> None:
    holding.tick(-DAY)
    holding.run(100)
    assert (holding.percent, holding.status.reason) == (25, "HoldingTime")

    holding.run(30)
    assert holding.percent == 100


def test_blindness_begins_again(blind: SimulatedTarget) -> None:
    blind.tick(-DAY)
    blind.run(50)
    assert (blind.percent, blind.status.phase) == (25, Phase.PROGRESSING)

    blind.run(15)
    assert (blind.percent, blind.status.history[-2].reason) == (0, "BlindTooLong")


def test_the_watch_begins_again(completed: SimulatedTarget) -> None:
    completed.run(25)
    completed.tick(-DAY)
    completed.run(25)
    assert completed.status.reason == "Watching"

    completed.run(10)
    assert completed.status.reason == "WatchOver"


def test_a_cool_down_begins_again(reverted: SimulatedTarget) -> None:
    reverted.run(100)
    reverted.tick(-DAY)
    reverted.run(100)
    assert reverted.status.phase is Phase.REVERTED

    reverted.run(30)
    assert reverted.status.retries == 1


def test_an_approval_counts_anew(baking: SimulatedTarget) -> None:
    steps = [Step(percent=percent, bake=10 * MINUTE, approval=Approval.REQUIRED) for percent in (25, 50, 100)]
    asked = Request(id=1, action=RequestAction.APPROVE, attempt=1, percent=50)
    baking.ask(steps=steps, approvals=Approvals(valid_for=10 * MINUTE), request=asked)
    baking.run(300)

    baking.tick(-DAY)

    assert [each.given_at for each in baking.status.approvals] == [baking.now]


def test_the_flags_are_written_anew_with_the_validity_of_the_new_time(baking: SimulatedTarget) -> None:
    before = baking.document

    baking.tick(-DAY)

    assert before is not None
    assert baking.document is not None
    assert baking.document.revision > before.revision
    assert baking.document.valid_until is not None
    assert baking.document.valid_until - baking.now <= baking.spec.valid_for


def test_windows_of_time_that_comes_again_count_once(baking: SimulatedTarget) -> None:
    before, until = windows(baking), baking.status.counted_until

    baking.tick(-10)
    baking.run(10)

    assert (windows(baking), baking.status.counted_until) == (before, until)
    baking.run(5)
    assert windows(baking) > before


# Set forward: spans end, and the bake gets three intervals.


def test_a_hold_is_over(holding: SimulatedTarget) -> None:
    holding.tick(DAY)
    holding.run(15)  # the sidecars follow the same clock here: their document had expired, and they confirm anew

    assert holding.percent == 100


def test_no_step_is_proven_by_it(baking: SimulatedTarget) -> None:
    baking.tick(40)  # less than the flags are valid for, and more than the bake

    assert baking.percent == 25
    assert baking.status.bake is not None
    assert baking.status.bake.proven_milliseconds < 15_000


def test_blindness_has_lasted(blind: SimulatedTarget) -> None:
    blind.tick(DAY)
    assert blind.status.history[-1].reason == "BlindTooLong"


def test_the_watch_is_over(completed: SimulatedTarget) -> None:
    completed.tick(DAY)
    assert completed.status.reason == "WatchOver"


def test_a_cool_down_is_over(reverted: SimulatedTarget) -> None:
    reverted.tick(DAY)
    assert reverted.status.retries == 1


def test_an_approval_that_is_waited_for_has_expired(baking: SimulatedTarget) -> None:
    steps = [Step(percent=percent, bake=SHORT, approval=Approval.REQUIRED) for percent in (25, 50, 100)]
    baking.ask(steps=steps, approvals=Approvals(on_expiry=OnExpiry.REVERT))
    baking.run(30)
    assert baking.status.reason == "ApprovalAwaited"

    baking.tick(8 * DAY)
    baking.run(15)

    assert "ApprovalMissed" in [entry.reason for entry in baking.status.history]
