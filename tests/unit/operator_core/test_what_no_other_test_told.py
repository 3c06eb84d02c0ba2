"""Faults of the core that every other test let pass: each of these is red when one line of it is taken away."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Criteria, Features, Request, Step, Toggle
from sark_api.status import Phase
from sark_e2e.simulated_target import BOUNDS, SimulatedTarget, arm
from sark_operator.core.observation import ArmWindow, CountedWindow, Histogram
from sark_operator.core.sequential import wager
from sark_operator.core.sequential.sides import Setting
from sark_operator.core.sequential.weighing import weigh

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LENGTH = timedelta(seconds=15)
GOOD = arm(1000)


def window(number: int, new: ArmWindow = GOOD, baseline: ArmWindow = GOOD) -> CountedWindow:
    start = NOON + number * LENGTH
    return CountedWindow(start, start + LENGTH, {ARM_NEW: new, ARM_BASELINE: baseline})


def partly_slow(slow: float, of: float = 1000) -> ArmWindow:
    """An arm of which so many requests took 0.09 s, and the others 4 ms."""
    fast = [of if bound >= 0.1 else of - slow if bound >= 0.005 else 0.0 for bound in BOUNDS]
    return ArmWindow(of, 0, Histogram(BOUNDS, tuple(fast)))


# At 100 %: what is left of the baseline arm says nothing, and the stored baseline is compared with.


def test_at_100_percent_slowness_below_the_floor_is_proven_by_windows_against_the_stored_baseline(
    completed: SimulatedTarget,
) -> None:
    # Given a fleet moved as a whole, of which one request in eight gets slow: too few for a breach at first sight
    completed.ask(watch_after=timedelta(hours=48))
    completed.arms = {ARM_NEW: partly_slow(120)}
    completed.tick(1)
    assert completed.status.phase is Phase.COMPLETED

    # When it lasts, then it is taken back
    completed.run(120)
    assert completed.status.revert is not None
    assert completed.status.revert.criterion == "latencyP95"
    assert completed.percent == 0


def test_at_100_percent_slow_stragglers_of_the_baseline_do_not_become_what_is_compared_with(completed: SimulatedTarget) -> None:
    stored = completed.status.baseline_p95_microseconds
    assert stored is not None

    # When the few that the baseline arm still answers are slow, and the new arm too
    completed.arms = {ARM_NEW: arm(seconds=0.004), ARM_BASELINE: arm(200, seconds=0.9)}
    completed.tick(1)
    assert completed.status.baseline_p95_microseconds == stored
    completed.arms = {ARM_NEW: arm(seconds=0.09), ARM_BASELINE: arm(200, seconds=0.9)}
    completed.tick(1)

    # Then that is a breach at once
    assert completed.status.revert is not None
    assert completed.status.revert.criterion == "latencyP95"


def test_at_100_percent_failing_stragglers_of_the_baseline_excuse_nothing(completed: SimulatedTarget) -> None:
    completed.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm(200, 100)}

    completed.tick(1)

    assert completed.status.revert is not None
    assert (completed.percent, completed.status.revert.criterion) == (0, "errorRate")


# The start of a new attempt.


def test_a_new_attempt_waits_for_the_last_sidecar_to_be_back_at_the_baseline(completed: SimulatedTarget) -> None:
    # Given a fleet at 100 %, of which one sidecar does not hear that a new attempt has taken it back
    completed.sidecars["gw-1"].following = False
    completed.ask(attempt=2)

    # Then nothing begins, however long that takes
    completed.run(60)
    assert (completed.percent, completed.status.phase, completed.status.reason) == (0, Phase.PENDING, "Starting")
    assert "gw-1: serves 100%" in completed.status.message

    # And when it has heard, it does
    completed.sidecars["gw-1"].following = True
    completed.deliver()
    completed.run_to(5)


# A promotion, and features that are edited before it is used.


def test_a_promotion_does_not_outlast_an_edit_of_the_features(baking: SimulatedTarget) -> None:
    # Given a step with a long bake that was promoted, and waits for its last window only
    steps = [Step(percent=percent, bake=timedelta(hours=1)) for percent in (5, 25, 100)]
    baking.ask(steps=steps)
    baking.ask(request=Request.model_validate({"id": 1, "action": "Promote", "attempt": 1, "percent": 25}))
    baking.tick(1)
    assert baking.status.step is not None
    assert baking.status.step.promoted_to == 100

    # When the features are edited, then nobody has asked to leave out the bake of the new ones
    baking.ask(features=Features(cache=Toggle.DISABLED))
    baking.run(60)
    assert (baking.percent, baking.status.reason) == (25, "Baking")


def test_a_promotion_granted_while_edited_features_cannot_be_written_is_kept_until_they_are(baking: SimulatedTarget) -> None:
    # Given features that were edited while the API server refuses the flags, so that their step begins anew in each tick
    steps = [Step(percent=percent, bake=timedelta(hours=1)) for percent in (5, 25, 100)]
    baking.flags_refused = True
    baking.ask(steps=steps, features=Features(cache=Toggle.DISABLED))
    baking.tick(1)

    # When the user, who knows of them, asks to leave out their bake
    baking.ask(request=Request.model_validate({"id": 1, "action": "Promote", "attempt": 1, "percent": 25}))
    baking.run(20)
    assert baking.status.step is not None
    assert (baking.percent, baking.status.step.promoted_to) == (25, 100)

    # Then what was granted lets the next step begin once they are written and a window of them is good
    baking.flags_refused = False
    records = [record.reason for decision in baking.run(30) for record in decision.records]
    assert (baking.percent, records) == (100, ["Advanced"])


# Evidence.


def test_evidence_that_was_enough_at_the_end_of_any_window_is_enough() -> None:
    # Given windows counted in one go, as after a pause of the operator: some are bad, and many good ones follow
    windows = [window(number, arm(100, 20)) for number in range(4)]
    windows += [window(number) for number in range(4, 700)]
    setting = Setting(Criteria(), 50, {}, slow_seconds=None, settled_since=NOON)
    found = weigh([], setting, windows, None)

    [kept] = [each for each in found.evidence if each.name == "errorRate"]
    assert wager.evidence(tuple(kept.pools)) < found.weights["errorRate"].needed
    assert found.weights["errorRate"].proven


def test_a_new_share_puts_idle_capital_back_into_bets() -> None:
    # Given long good times at one share
    setting = Setting(Criteria(), 25, {}, slow_seconds=None, settled_since=NOON)
    before = weigh([], setting, [window(number) for number in range(3000)], None).evidence

    # When the arm fails at the same share, and at the next one
    failing = [window(number, arm(1000, 50)) for number in range(3000, 3012)]
    same, new = (
        weigh(before, replace(setting, percent=percent), failing, None).weights["errorRate"].odds for percent in (25, 50)
    )
    assert new > 2 * same


def test_the_share_of_requests_is_weighed_in_windows_of_the_settled_share_only() -> None:
    # Given windows of which the first ones are of the share before
    windows = [window(number) for number in range(6)]
    setting = Setting(Criteria(), 50, {}, slow_seconds=None, settled_since=NOON + 4 * LENGTH)

    assert weigh([], setting, windows, None).weights["sampleRatio"].windows == 2


@pytest.mark.parametrize("seen", ["lately", "in the window"])
def test_what_the_baseline_suffers_excuses_the_new_arm_be_it_lately_or_in_the_window(seen: str) -> None:
    suffering = arm(1000, 200)
    lately = {ARM_BASELINE: suffering if seen == "lately" else GOOD}
    windows = [window(number, suffering, suffering if seen != "lately" else GOOD) for number in range(12)]
    setting = Setting(Criteria(), 50, lately, slow_seconds=None, settled_since=NOON)

    assert not weigh([], setting, windows, None).weights["errorRate"].doubtful
