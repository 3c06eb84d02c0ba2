from __future__ import annotations

from datetime import timedelta

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Action, LatencyP95, Mode, SchedulePreset, Step
from sark_api.status import Phase
from sark_e2e.simulated_target import SimulatedTarget, arm, quick_spec
from sark_operator.core.decision import WriteFlags, WriteStatus
from sark_operator.core.observation import Missing


def proven(target: SimulatedTarget) -> int:
    assert target.status.bake is not None
    return target.status.bake.proven_milliseconds


def test_the_whole_way_up(target: SimulatedTarget) -> None:
    started = target.now
    while target.status.phase is not Phase.COMPLETED:
        target.tick(1)

    assert [write.document.percentage for write in target.written] == [5, 10, 25, 50, 100]
    assert [entry.reason for entry in target.status.history] == ["Started", *["Advanced"] * 4, "Completed"]
    assert target.now - started >= timedelta(seconds=5 * 15)
    assert target.status.completed_at == target.now
    assert [write.document.valid_until is None for write in target.written] == [False] * 4 + [True]


def test_going_up_the_status_is_written_before_the_flags(target: SimulatedTarget) -> None:
    status, flags = target.tick(1).actions

    assert isinstance(status, WriteStatus)
    assert isinstance(flags, WriteFlags)
    assert (flags.force, flags.document.percentage, flags.document.salt) == (False, 5, "uid-1")


def test_an_operator_that_died_between_status_and_flags_goes_on(baking: SimulatedTarget) -> None:
    while baking.status.step is not None and baking.status.step.percent == 25:
        baking.tick(1, die_after=1)
    assert baking.percent == 25

    baking.tick(1)

    assert baking.percent == 50
    revisions = [write.document.revision for write in baking.written]
    assert revisions == sorted(set(revisions))


def test_a_step_needs_its_whole_bake(target: SimulatedTarget) -> None:
    target.run_to(5)
    assert proven(target) == 0

    target.run(14)
    assert (target.percent, proven(target), target.status.message) == (5, 14_000, "Baking 5%: 14s of 15s proven")

    target.tick(1)
    assert (target.percent, proven(target)) == (10, 0)


def test_a_step_lasts_as_long_as_its_hold(target: SimulatedTarget) -> None:
    hold = timedelta(minutes=2)
    target.spec = target.spec.model_copy(
        update={"steps": [Step(percent=5, bake=timedelta(seconds=15), hold=hold), Step(percent=100)]}
    )
    target.run(119)
    assert (target.percent, target.status.reason) == (5, "HoldingTime")
    assert target.status.message == "Holding at 5%: proven, but the step lasts at least 2m and 2s are left"

    target.run(2)
    assert target.percent == 100


def test_the_last_window_lies_wholly_inside_the_step(target: SimulatedTarget) -> None:
    target.spec = target.spec.model_copy(
        update={"criteria": target.spec.criteria.model_copy(update={"window": timedelta(seconds=40)})}
    )
    target.run_to(5)
    target.run(39)
    assert (target.percent, target.status.reason) == (5, "FillingWindow")
    target.sidecars["gw-0"].following = False
    target.sidecars["gw-0"].reachable = False
    target.tick(1)
    target.sidecars["gw-0"].reachable = True
    target.run(40)
    assert target.percent == 5

    target.run(2)
    assert target.percent == 10


def test_the_last_window_ends_when_prometheus_was_asked_for_it(target: SimulatedTarget) -> None:
    # Given answers that are three seconds old
    target.spec = target.spec.model_copy(
        update={"criteria": target.spec.criteria.model_copy(update={"window": timedelta(seconds=40)})}
    )
    target.metrics_age = timedelta(seconds=3)
    target.run_to(5)

    # Then a step lasts until they are about nothing before it
    target.run(42)
    assert (target.percent, target.status.reason) == (5, "FillingWindow")
    target.run(2)
    assert target.percent == 10


def test_unknown_holds_and_proves_nothing(baking: SimulatedTarget) -> None:
    before = proven(baking)
    baking.arms = {ARM_NEW: arm(37), ARM_BASELINE: arm()}

    baking.run(50)

    assert (baking.percent, proven(baking), baking.status.reason) == (25, before, "CriterionUnknown")
    assert baking.status.message.startswith("Holding at 25%: errorRate Unknown: 37 requests in 10s, 100 needed")
    assert baking.status.summary.verdict == "Unknown"


def test_a_dead_operator_proves_at_most_three_intervals(baking: SimulatedTarget) -> None:
    before = proven(baking)

    baking.tick(40)

    assert proven(baking) == before + 3 * 2000


def test_an_operator_that_was_dead_beyond_the_validity_finds_the_fleet_at_the_baseline(baking: SimulatedTarget) -> None:
    before = proven(baking)

    baking.tick(3000)
    assert (proven(baking), baking.status.summary.replicas) == (before, "0/3")

    baking.run(2)
    assert (proven(baking), baking.percent, baking.status.summary.replicas) == (before + 1000, 25, "3/3")


def test_the_tick_after_a_freeze_proves_nothing_of_the_gap(baking: SimulatedTarget) -> None:
    before, good = proven(baking), baking.arms
    baking.arms = Missing("MetricsUnreachable", "no answer")
    baking.tick(1)
    baking.arms = good
    baking.tick(1)
    assert proven(baking) == before

    baking.tick(1)
    assert proven(baking) == before + 1000


@pytest.mark.parametrize("back", [1, 3600, 86_400])
def test_a_clock_set_back_takes_nothing_away_and_gives_nothing(baking: SimulatedTarget, back: float) -> None:
    before = proven(baking)

    baking.tick(-back)
    assert (proven(baking), baking.percent) == (before, 25)

    baking.run(2)
    assert proven(baking) == before + 2000


def test_a_clock_set_back_a_day_does_not_hold_the_rollout_for_a_day(baking: SimulatedTarget) -> None:
    baking.tick(-86_400)

    baking.run_to(50)


def test_the_step_before_the_first_needs_something_to_look_at(target: SimulatedTarget) -> None:
    target.arms = Missing("MetricsUnreachable", "http://prometheus:9090 did not answer in 5s")

    target.run(10)

    assert (target.written, target.status.reason) == ([], "MetricsUnavailable")


@pytest.mark.parametrize("breach", ["errors of an earlier rollout", "a leak at the baseline"])
def test_a_step_that_would_be_reverted_at_once_is_not_begun(target: SimulatedTarget, breach: str) -> None:
    if breach == "a leak at the baseline":
        target.growth = 50_000.0
    else:
        target.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}
    target.run(10)
    assert (target.written, target.status.phase, target.status.reason) == ([], Phase.PENDING, "CriterionHolds")

    target.growth, target.arms = 0.0, {ARM_BASELINE: arm()}
    target.run(2)
    assert target.percent == 5


def test_the_seed_schedule_takes_weeks() -> None:
    target = SimulatedTarget(quick_spec(steps=None, schedule=SchedulePreset.SEED, interval="10m", validFor="1h"))
    target.run_to(5)

    target.run(14 * 86_400 - 3600, every=600)
    assert (target.percent, target.status.reason) == (5, "HoldingTime")
    target.run(3 * 3600, every=600)

    assert target.percent == 10


def test_the_history_keeps_the_last_twenty(target: SimulatedTarget) -> None:
    for _ in range(15):
        target.ask(mode=Mode.PAUSED)
        target.tick(1)
        target.ask(mode=Mode.AUTO)
        target.tick(1)

    assert len(target.status.history) == 20
    assert target.status.history[-1].time == target.now


@pytest.mark.parametrize("observed", [(50, 950, "5%->5%"), (0, 0, "5%->?"), (33, 967, "5%->3%")])
def test_the_observed_share_stands_beside_the_wanted_one(target: SimulatedTarget, observed: tuple[float, float, str]) -> None:
    new, baseline, traffic = observed
    target.run_to(5)
    target.arms = {ARM_NEW: arm(new), ARM_BASELINE: arm(baseline)}

    target.tick(1)

    assert target.status.summary.traffic == traffic


def test_what_slows_both_arms_holds_the_step_that_leaves_no_baseline(target: SimulatedTarget) -> None:
    # Given half of the fleet moved, and a time in which both arms are slow: neither is slower than the other
    target.run_to(50)
    stored = target.status.baseline_p95_microseconds
    assert stored is not None
    target.arms = {ARM_NEW: arm(seconds=0.2), ARM_BASELINE: arm(seconds=0.2)}
    target.run(20)
    assert target.status.bake is not None
    assert target.status.bake.proven_milliseconds >= target.status.bake.required_seconds * 1000

    # Then it does not go on: beside nobody, the new arm would be slow by what is stored
    assert (target.percent, target.status.reason) == (50, "CriterionHolds")
    assert target.status.message.startswith("Holding at 50%: at 100%, beside no baseline, latencyP95 100.0% > 5.0% of 1,000")
    assert target.status.baseline_p95_microseconds is not None
    assert stored < target.status.baseline_p95_microseconds < stored * 1.3

    # When it is over, then it goes on, and is measured by about what it was measured by before
    target.arms = {ARM_NEW: arm(), ARM_BASELINE: arm()}
    target.tick(1)
    assert target.percent == 100
    assert target.status.baseline_p95_microseconds < stored * 1.3


def test_what_slows_both_arms_for_good_holds_until_the_stored_p95_has_followed(target: SimulatedTarget) -> None:
    target.run_to(50)
    target.arms = {ARM_NEW: arm(seconds=0.02), ARM_BASELINE: arm(seconds=0.02)}
    target.run(60)
    assert target.percent == 50

    while target.percent == 50:
        target.tick(1)

    assert (target.percent, target.status.phase) == (100, Phase.PROGRESSING)
    target.run(20)
    assert target.status.phase is Phase.COMPLETED


@pytest.mark.parametrize("action", Action)
def test_the_last_step_waits_for_a_quick_arm_where_slowness_would_do_something(target: SimulatedTarget, action: Action) -> None:
    latency = LatencyP95(action=action, min_samples=target.spec.criteria.latency_p95.min_samples)
    target.ask(criteria=target.spec.criteria.model_copy(update={"latency_p95": latency}))
    target.run_to(50)
    target.arms = {ARM_NEW: arm(seconds=0.2), ARM_BASELINE: arm(seconds=0.2)}
    target.run(20)

    assert target.percent == (100 if action is Action.WARN else 50)
