"""A breach takes the fleet back at whatever moment it comes: nothing that stops an advance stops the way back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sark_api.status import Phase
from sark_e2e.applied_rollout import AppliedRollout, proven_milliseconds, serves
from sark_e2e.example import quick
from sark_e2e.fleet import Fleet
from sark_e2e.scenario import Scenario
from sark_e2e.traffic.load import Traffic

ERRORS = {"error_percent": 40.0}


def closed_window() -> dict[str, Any]:
    """A window that opens the day after tomorrow."""
    day = (datetime.now(UTC) + timedelta(days=2)).strftime("%a")
    return {"days": [day], "start": "03:00", "end": "03:01"}


def taken_back(scenario: Scenario, fleet: Fleet, rollout: AppliedRollout, percent: int) -> None:
    """Let the new arm fail, and expect the baseline and a record of why."""
    fleet.inject(**ERRORS)
    reverted = rollout.until("phase Reverted", lambda seen: seen.status.phase is Phase.REVERTED, seconds=60)
    scenario.serves(fleet, 0, seconds=10)
    revert = reverted.status.revert
    assert revert is not None
    assert (revert.reason, revert.from_percent) == ("CriterionBreached", percent)
    assert [entry.reason for entry in reverted.status.history].count("CriterionBreached") == 1


@pytest.mark.parametrize("moment", ["paused", "waiting for an approval", "outside every window"])
def test_a_breach_reverts_while_the_rollout_stands_still(scenario: Scenario, moment: str):
    # Given a rollout whose next step cannot begin
    edits = quick(50, 100)
    if moment == "waiting for an approval":
        edits["steps"][1]["approval"] = "Required"
    fleet = scenario.fleet(replicas=2)
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, edits)
    rollout.bakes(50, milliseconds=1000, seconds=60)
    if moment == "paused":
        rollout.edit({"mode": "Paused"})
        rollout.becomes(Phase.PAUSED, seconds=20)
    elif moment == "outside every window":
        rollout.edit({"windows": [closed_window()]})
    reason = {"paused": "PausedByUser", "outside every window": "OutsideWindow"}.get(moment, "ApprovalAwaited")
    held = rollout.until(reason, lambda seen: seen.status.reason == reason and serves(seen, 50), seconds=60)
    assert held.status.next is not None
    assert held.status.next.waits

    # When the new arm goes bad, then it goes back all the same
    taken_back(scenario, fleet, rollout, 50)


def test_a_breach_after_completion_reverts_while_the_watch_lasts(scenario: Scenario):
    # Given a rollout that has completed, and is still watched
    fleet = scenario.fleet(replicas=2)
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100))
    rollout.becomes(Phase.COMPLETED, seconds=90)

    # When the new arm goes bad at 100%, then it goes back
    taken_back(scenario, fleet, rollout, 100)


@pytest.mark.long
def test_a_breach_in_the_step_of_100_percent_reverts(scenario: Scenario):
    # Given a rollout whose last step is being proven: nobody is left in the baseline arm to compare with
    edits = quick(50, 100)
    edits["steps"][1]["bake"] = "10m"
    fleet = scenario.fleet(replicas=2)
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, edits)
    rollout.bakes(100, milliseconds=1000, seconds=120)

    # When the new arm goes bad, then it goes back
    taken_back(scenario, fleet, rollout, 100)


@pytest.mark.long
def test_what_was_taken_back_is_tried_again_after_its_cool_down_and_completes(scenario: Scenario):
    # Given a rollout that may try once more, and has gone back
    fleet = scenario.fleet(replicas=1)
    scenario.operator()
    scenario.traffic(fleet)
    edits = {**quick(50, 100), "rollback": {"retry": {"limit": 1, "after": "15s"}}}
    rollout = scenario.apply("gateway", fleet, edits)
    rollout.bakes(50, milliseconds=1000, seconds=60)
    taken_back(scenario, fleet, rollout, 50)

    # When its new arm is well again, then it begins anew by itself, and comes to its end
    fleet.inject()
    done = rollout.until("phase Completed", lambda seen: seen.status.phase is Phase.COMPLETED, seconds=180)
    scenario.serves(fleet, 100, seconds=10)
    first = ["Started", "CriterionBreached", "BaselineRestored"]
    assert [entry.reason for entry in done.status.history] == [*first, "Retried", "Started", "Advanced", "Completed"]


def test_a_target_scaled_to_zero_holds_and_goes_on_with_new_pods(scenario: Scenario):
    # Given a rollout that is being proven at 50%
    fleet = scenario.fleet(replicas=2)
    scenario.operator()
    traffic = scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="10m"), "rollback": {"blindFor": "10m"}})
    rollout.bakes(50, milliseconds=1000, seconds=60)

    # When every pod goes, then the step is held
    scaled_to_zero(fleet, traffic)
    held = rollout.until("no ready pods", lambda seen: seen.status.reason == "NoReadyPods" and serves(seen, 50), seconds=60)

    # And nothing is raised, and nothing is proven by a fleet that is not there, for as long as the window of the criteria
    proven, at = proven_milliseconds(held), held.status.evaluated_at
    assert proven >= 1000
    assert at is not None
    rollout.until(
        "evaluations for longer than the window",
        lambda seen: seen.status.evaluated_at is not None and seen.status.evaluated_at - at > timedelta(seconds=8),
        seconds=90,
        unless=lambda seen: not serves(seen, 50) or seen.status.reason != "NoReadyPods" or proven_milliseconds(seen) != proven,
    )

    # And when the target is scaled up again, the new pods are brought to the share in force, and confirm it
    added = fleet.add_pod()
    confirmed = rollout.until(
        "a new pod that confirms", lambda seen: seen.status.summary.replicas == "1/1" and serves(seen, 50), seconds=60
    )
    assert confirmed.status.convergence is not None
    scenario.serves(fleet, 50, seconds=10)
    assert added.name not in " ".join(confirmed.status.convergence.laggards)

    # And the bake goes on from where it stood, by their requests
    assert proven_milliseconds(confirmed) == proven
    scenario.traffic(fleet)
    rollout.bakes(50, milliseconds=proven + 1000, seconds=60)
    assert [entry.reason for entry in rollout.read().status.history] == ["Started"]


@pytest.mark.long
def test_a_target_scaled_to_zero_for_too_long_is_at_the_baseline_when_it_is_scaled_up_again(scenario: Scenario):
    # Given a rollout at 50% that may be out of sight for some seconds only
    fleet = scenario.fleet(replicas=1)
    scenario.operator()
    traffic = scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="10m"), "rollback": {"blindFor": "8s"}})
    rollout.bakes(50, milliseconds=1000, seconds=60)

    # When every pod goes for longer than that, then it goes back, and cannot say that it has: nobody confirms it
    scaled_to_zero(fleet, traffic)
    rollout.becomes(Phase.REVERTING, seconds=90)
    rollout.stays("a revert without a witness", lambda seen: seen.status.phase is Phase.REVERTING, seconds=5)
    assert scenario.flags(fleet).percentage == 0

    # And when the target is scaled up again, the new pod serves the baseline, and confirms it
    fleet.add_pod()
    reverted = rollout.becomes(Phase.REVERTED, seconds=60)
    scenario.serves(fleet, 0, seconds=10)
    assert [entry.reason for entry in reverted.status.history] == ["Started", "BlindTooLong", "BaselineRestored"]


def scaled_to_zero(fleet: Fleet, traffic: Traffic) -> None:
    """Take every pod away, and the load that would find nobody."""
    for pod in fleet.pods:
        pod.remove()
    fleet.pods.clear()
    traffic.stop()
