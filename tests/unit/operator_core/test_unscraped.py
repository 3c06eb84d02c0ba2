"""A Prometheus that does not scrape every sidecar, or others beside them: its sums prove nothing of the fleet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Action, Mode
from sark_api.status import Phase
from sark_e2e.simulated_target import SimulatedTarget, arm, criteria_that, quick_spec
from sark_operator.core.blindness import half_seen, unseen, what_is_unseen
from sark_operator.core.observation import Missing, Observation
from sark_operator.core.problems import unscraped, untrusted

LATE = Missing("MetricsTimeout", "Prometheus did not answer within 5 s")


def test_a_sidecar_that_is_not_scraped_holds_the_step(baking: SimulatedTarget) -> None:
    baking.unscraped = 1
    baking.tick(1)
    bake = baking.status.bake
    baking.run(50)

    assert (baking.percent, baking.status.phase, baking.status.reason) == (25, Phase.PROGRESSING, "MetricsUnavailable")
    assert "fresh samples of 2 of 3 ready sidecars" in baking.status.message
    assert baking.status.bake is not None
    assert bake is not None
    assert baking.status.bake.proven_milliseconds == bake.proven_milliseconds
    [available] = [each for each in baking.status.conditions if each.type == "MetricsAvailable"]
    assert (available.status, available.reason) == ("False", "MetricsUnavailable")

    # And when all are seen again it goes on
    baking.unscraped = 0
    baking.tick(1)
    assert baking.status.blind_since is None
    baking.run_to(50)


def test_a_share_of_which_only_a_part_is_seen_goes_back_after_blind_for(baking: SimulatedTarget) -> None:
    # Given a Prometheus that sees one sidecar of three: what the two others do to their users nobody knows
    baking.unscraped = 2
    baking.run(60)
    assert (baking.percent, baking.status.reason) == (25, "MetricsUnavailable")

    # When that has lasted for rollback.blindFor
    decision = baking.tick(1)

    # Then the share is taken back, and it is said what was not seen; no criterion is to blame
    assert (baking.percent, decision.status.reason) == (0, "BlindTooLong")
    assert decision.records[0].message == (
        "Reverted from 25%: not seen for 1m (rollback.blindFor is 1m): "
        "Prometheus has fresh samples of 1 of 3 ready sidecars: check that it scrapes every one of them"
    )
    assert decision.status.revert is not None
    assert decision.status.revert.criterion == ""


def test_what_else_is_not_seen_is_told_after_it(baking: SimulatedTarget) -> None:
    baking.unscraped = 2
    baking.arms = {ARM_NEW: arm(3), ARM_BASELINE: arm()}
    baking.run(61)

    assert baking.status.revert is not None
    assert baking.status.revert.criterion == "errorRate"
    assert "fresh samples of 1 of 3 ready sidecars: check that it scrapes every one of them; errorRate Unknown: 3" in (
        baking.status.revert.message
    )


def test_one_reason_for_all_that_is_not_seen_is_told_by_the_criteria_alone(baking: SimulatedTarget) -> None:
    baking.arms = LATE
    criteria = unseen(baking.decide().status.criteria, baking.observe().metrics)
    assert what_is_unseen(criteria, LATE).startswith(f"errorRate Unknown: {LATE.message}; ")


def test_a_pod_that_is_not_scraped_yet_is_no_trouble(baking: SimulatedTarget) -> None:
    # Given pods that come one after the other, each scraped for the first time half a minute after it is ready
    for _ in range(6):
        baking.unscraped = 1
        baking.run(30)
        baking.unscraped = 0
        baking.run(2)

    assert (baking.percent, baking.status.phase) == (25, Phase.PROGRESSING)


def test_a_part_goes_back_while_paused(baking: SimulatedTarget) -> None:
    baking.ask(mode=Mode.PAUSED)
    baking.unscraped = 1
    baking.run(61)
    assert (baking.percent, baking.status.reason) == (0, "BlindTooLong")


def test_a_part_counts_anew_when_the_clock_is_set_back(baking: SimulatedTarget) -> None:
    baking.unscraped = 1
    baking.run(50)
    baking.tick(-3600)
    baking.run(50)
    assert baking.percent == 25

    baking.run(15)
    assert (baking.percent, baking.status.reason) == (0, "BlindTooLong")


def test_pods_that_cannot_be_listed_end_no_blindness_and_begin_none(baking: SimulatedTarget) -> None:
    # Given a fleet seen in part, and an API server that does not list its pods for a moment
    away = Missing("PodsUnavailable", "503")
    baking.unscraped = 1
    baking.run(50)
    baking.pods_missing = away
    baking.run(20)
    assert (baking.percent, baking.status.reason) == (25, "PodsUnavailable")

    # Then it is taken back when it is known again that a part is not seen
    baking.pods_missing = None
    baking.tick(1)
    assert (baking.percent, baking.status.reason) == (0, "BlindTooLong")


def test_pods_that_cannot_be_listed_are_no_blindness(baking: SimulatedTarget) -> None:
    baking.pods_missing = Missing("PodsUnavailable", "503")
    baking.run(50)
    assert baking.status.blind_since is None


@pytest.mark.parametrize("part", ["unscraped", "foreign"])
def test_a_fleet_moved_as_a_whole_is_not_taken_back_for_a_part(completed: SimulatedTarget, part: str) -> None:
    completed.ask(watch_after=timedelta(hours=48))
    _show(completed, part)
    completed.run(300)
    assert (completed.percent, completed.status.phase) == (100, Phase.COMPLETED)


@pytest.mark.parametrize("part", ["unscraped", "foreign"])
def test_clocks_that_are_apart_hide_no_part(baking: SimulatedTarget, part: str) -> None:
    # Given clocks that are apart, which alone is no blindness
    baking.clock_behind = timedelta(minutes=5)
    baking.run(90)
    assert (baking.percent, baking.status.blind_since) == (25, None)

    # Then a part that is not seen besides goes back
    _show(baking, part)
    baking.run(61)
    assert (baking.percent, baking.status.reason) == (0, "BlindTooLong")


@pytest.mark.parametrize("part", ["unscraped", "foreign"])
def test_where_nothing_may_revert_a_part_does_not_either(part: str) -> None:
    # Given criteria that hold at most
    target = SimulatedTarget(quick_spec(criteria=criteria_that(Action.HOLD)))
    target.run_to(25)
    _show(target, part)

    target.run(300)

    assert (target.percent, target.status.reason, target.status.blind_since) == (25, "MetricsUnavailable", None)


def test_what_the_others_show_reverts_all_the_same(baking: SimulatedTarget) -> None:
    baking.unscraped = 2
    baking.arms = {ARM_NEW: arm(1000, errors=400), ARM_BASELINE: arm()}
    baking.tick(1)
    assert baking.percent == 0


def test_a_sidecar_that_does_not_answer_is_what_the_step_waits_for(baking: SimulatedTarget) -> None:
    # Given a sidecar that has died: neither the operator nor Prometheus reach it
    baking.sidecars["gw-1"].reachable = False
    baking.unscraped = 1
    baking.tick(1)

    # Then the step waits for it, and not for metrics
    assert baking.status.reason == "SidecarsUnreachable"


@pytest.mark.parametrize("scraped", [None, 3, 4])
def test_more_than_are_ready_or_series_that_do_not_tell_hold_nothing(baking: SimulatedTarget, scraped: int | None) -> None:
    assert unscraped(baking.identity, _seen(baking, scraped)) is None


def test_an_answer_that_is_missing_holds(baking: SimulatedTarget) -> None:
    assert unscraped(baking.identity, _seen(baking, LATE)) is LATE


def test_not_knowing_how_many_are_scraped_is_blindness_too(baking: SimulatedTarget) -> None:
    assert half_seen(baking.status.criteria, baking.identity, _seen(baking, LATE)) is LATE


def test_series_of_another_namespace_that_name_the_rollout_hold_the_step(baking: SimulatedTarget) -> None:
    # Given a target elsewhere whose good requests would be summed up with those of the fleet
    baking.foreign = ("billing", "load", "team-a", "team-b")
    baking.tick(1)
    bake = baking.status.bake
    baking.run(50)

    # Then nothing is proven, and the message says what to mend
    assert (baking.percent, baking.status.phase, baking.status.reason) == (25, Phase.PROGRESSING, "MetricsUnavailable")
    assert "of targets in namespace billing, load, team-a and 1 more" in baking.status.message
    assert baking.status.bake is not None
    assert bake is not None
    assert baking.status.bake.proven_milliseconds == bake.proven_milliseconds

    # And when it is gone the rollout goes on
    baking.foreign = ()
    baking.run_to(50)


def test_a_share_that_others_may_hide_goes_back_after_blind_for(baking: SimulatedTarget) -> None:
    baking.foreign = ("billing",)
    baking.run(60)
    assert (baking.percent, baking.status.reason) == (25, "MetricsUnavailable")

    decision = baking.tick(1)

    assert (baking.percent, decision.status.reason) == (0, "BlindTooLong")
    assert 'Prometheus has series with sark_rollout="shop/gateway" of targets in namespace billing, which' in (
        decision.records[0].message
    )


def test_what_is_bad_beside_them_reverts_all_the_same(baking: SimulatedTarget) -> None:
    baking.foreign = ("billing",)
    baking.arms = {ARM_NEW: arm(1000, errors=400), ARM_BASELINE: arm()}
    baking.tick(1)
    assert baking.percent == 0


def test_not_knowing_who_else_names_it_holds(baking: SimulatedTarget) -> None:
    seen = baking.observe()
    assert untrusted(baking.identity, replace(seen, metrics=replace(seen.metrics, foreign=LATE))) is LATE


def _seen(target: SimulatedTarget, scraped: int | Missing | None) -> Observation:
    seen = target.observe()
    return replace(seen, metrics=replace(seen.metrics, scraped=scraped))


def _show(target: SimulatedTarget, part: str) -> None:
    """Have Prometheus see a part of the fleet only, or others beside it."""
    if part == "unscraped":
        target.unscraped = 2
    else:
        target.foreign = ("billing",)
