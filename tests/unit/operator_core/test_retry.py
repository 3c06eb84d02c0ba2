from __future__ import annotations

from datetime import timedelta

import pytest

from sark_api.flags import FeatureFlags
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Mode, Retry, Rollback
from sark_api.status import Phase
from sark_e2e.simulated_target import SimulatedTarget, arm, quick_spec
from sark_operator.core.retry import cool_down

BAD = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}
GOOD = {ARM_NEW: arm(), ARM_BASELINE: arm()}


@pytest.fixture
def stubborn(baking: SimulatedTarget) -> SimulatedTarget:
    """A rollout that tries again twice, a minute and two minutes after a revert; it has just been reverted."""
    baking.ask(rollback=Rollback(retry=Retry(limit=2, after=timedelta(minutes=1))))
    return failing(baking)


def failing(target: SimulatedTarget) -> SimulatedTarget:
    target.arms = BAD
    target.run(3)
    target.arms = GOOD
    assert target.status.phase is Phase.REVERTED
    return target


def test_it_begins_again_after_the_cool_down(stubborn: SimulatedTarget) -> None:
    stubborn.run(55)
    assert (stubborn.status.phase, stubborn.status.reason) == (Phase.REVERTED, "CriterionBreached")
    assert "errorRate 50.0% > 1.0%" in stubborn.status.message
    assert "retry 1 of 2 in " in stubborn.status.message

    stubborn.run_to(5)
    assert (stubborn.status.retries, stubborn.status.attempt) == (1, 1)
    assert [entry.reason for entry in stubborn.status.history][-2:] == ["Retried", "Started"]


def test_the_cool_down_doubles_and_the_limit_holds(stubborn: SimulatedTarget) -> None:
    stubborn.run_to(5)
    failing(stubborn)
    stubborn.run(110)
    assert stubborn.status.phase is Phase.REVERTED
    stubborn.run_to(5)
    failing(stubborn)
    stubborn.run(3600, every=10)

    assert (stubborn.status.phase, stubborn.status.retries) == (Phase.REVERTED, 2)


def test_a_raised_attempt_starts_the_count_anew(stubborn: SimulatedTarget) -> None:
    stubborn.run_to(5)
    failing(stubborn)
    stubborn.ask(attempt=2)
    stubborn.run_to(5)

    assert stubborn.status.retries == 0


@pytest.mark.parametrize("mode", [Mode.PAUSED, Mode.ROLLBACK])
def test_it_does_not_begin_again_against_the_mode(stubborn: SimulatedTarget, mode: Mode) -> None:
    stubborn.ask(mode=mode)
    stubborn.run(300, every=5)
    assert stubborn.status.phase is Phase.REVERTED


def test_what_the_user_took_back_stays_back(baking: SimulatedTarget) -> None:
    baking.ask(rollback=Rollback(retry=Retry(limit=2, after=timedelta(minutes=1))), mode=Mode.ROLLBACK)
    baking.run(3)
    baking.ask(mode=Mode.AUTO)
    baking.run(300, every=5)
    assert baking.status.phase is Phase.REVERTED


def test_it_waits_while_another_rollout_has_the_target(stubborn: SimulatedTarget) -> None:
    stubborn.rival = "shop/other"
    stubborn.run(300, every=5)
    assert stubborn.status.phase is Phase.REVERTED


def test_by_default_it_never_tries_again(baking: SimulatedTarget) -> None:
    failing(baking)
    baking.run(7200, every=30)
    assert baking.status.phase is Phase.REVERTED


def test_a_clock_set_back_only_lengthens_the_cool_down(stubborn: SimulatedTarget) -> None:
    stubborn.run(30)
    stubborn.tick(-86_400)
    stubborn.run(58)
    assert stubborn.status.phase is Phase.REVERTED
    stubborn.run_to(5)


@pytest.mark.parametrize(
    ("after", "retries", "wait"),
    [
        ("1h", 0, timedelta(hours=1)),
        ("1h", 3, timedelta(hours=8)),
        ("100h", 9, timedelta(days=7)),
        ("0s", 0, timedelta(seconds=10)),
    ],
)
def test_the_cool_down_is_bounded_both_ways(after: str, retries: int, wait: timedelta) -> None:
    assert cool_down(quick_spec(rollback={"retry": {"limit": 10, "after": after}}), retries) == wait


def test_it_does_not_take_the_target_from_another_rollout_that_rests(stubborn: SimulatedTarget) -> None:
    # Given another rollout that has taken the target, and come to its end: it is no rival any more
    assert stubborn.document is not None
    theirs = FeatureFlags(rust_opa_enabled=True, rust_cache_enabled=True, rollout_percentage=100)
    taken = {"rollout": "shop/other", "salt": "uid-2", "feature_flags": theirs, "revision": stubborn.document.revision + 9}
    stubborn.put(stubborn.document.model_copy(update={**taken, "valid_until": None}).sealed())
    stubborn.deliver()

    # When the cool-down is over, then nothing begins, and it says what to do instead
    stubborn.run(300, every=5)
    assert (stubborn.status.phase, stubborn.status.retries, stubborn.percent) == (Phase.REVERTED, 0, 100)
    assert "since rollout shop/other has the target's flags by now: raise spec.attempt" in stubborn.status.message

    # And who asks for it gets it
    stubborn.ask(attempt=2)
    stubborn.run_to(5)
    assert stubborn.percent == 5
