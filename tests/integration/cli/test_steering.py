"""The verbs on a real rollout: operator, sidecars, load and Prometheus are real."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sark_api.status import Phase
from sark_cli.connection import Connection
from sark_cli.failure import StaleError
from sark_cli.intents import PAUSE
from sark_cli.rollouts import Rollouts
from sark_cli.waiting import ask
from sark_e2e.applied_rollout import AppliedRollout
from sark_e2e.cluster import LocalCluster
from sark_e2e.example import quick
from sark_e2e.fleet import Fleet
from sark_e2e.scenario import Scenario

pytestmark = pytest.mark.timeout(240)

Run = Callable[..., Any]


@pytest.fixture
def scenario(cluster: LocalCluster) -> Iterator[Scenario]:
    with Scenario(cluster) as told:
        yield told


@pytest.fixture
def baking(scenario: Scenario) -> tuple[Scenario, Fleet, AppliedRollout]:
    """A rollout that bakes at 25% for longer than any test here lasts."""
    fleet = scenario.fleet()
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(25, 100, bake="30m"))
    rollout.reaches(25, seconds=60)
    return scenario, fleet, rollout


def test_pause_resume_rollback_and_retry(baking: tuple[Scenario, Fleet, AppliedRollout], run: Run):
    scenario, fleet, rollout = baking
    place = ("gateway", "-n", scenario.namespace)

    # When it is paused: the answer is the operator's
    paused = run("pause", *place)
    assert (paused.code, paused.err) == (0, "")
    assert "is Paused (PausedByUser): Paused at 25%" in paused.out
    assert run("status", *place).code == 4
    assert run("pause", *place).out.startswith(f"{rollout.key} is paused already\n")

    # And resumed
    assert run("resume", *place).code == 0
    assert rollout.read().status.phase is Phase.PROGRESSING

    # A retry makes no sense while it progresses, and nothing is written
    generation = rollout.read().generation
    senseless = run("retry", *place)
    assert senseless.code == 1
    assert "only a reverted or completed rollout can be started again" in senseless.err
    assert rollout.read().generation == generation

    # When it is rolled back, nobody being there to be asked
    assert run("rollback", *place).code == 2
    assert rollout.read().generation == generation

    # And with --yes: every sidecar is at 0%, by its own account
    done = run("rollback", *place, "--yes", "--ask", "direct", "-o", "json")
    assert done.code == 0, done.err
    outcome = done.data[0]
    revision = outcome["flagRevision"]
    assert outcome["restored"] is True
    assert [(each["percent"], each["revision"]) for each in outcome["sidecars"]] == [(0, revision)] * len(fleet.pods)
    assert run("status", *place).code == 5

    # When it is retried
    retried = run("retry", *place)
    assert retried.code == 0, retried.err
    assert "was asked for attempt 2" in retried.out
    rollout.until("attempt 2 to begin", lambda seen: seen.status.attempt == 2, seconds=60)
    rollout.reaches(25, seconds=60)

    # Then the API server knows who wrote it
    managers = {each["manager"] for each in rollout.read().body["metadata"]["managedFields"]}
    assert "sark-rollout-cli" in managers


def test_a_rollback_of_all_says_which_could_not_be_done(
    baking: tuple[Scenario, Fleet, AppliedRollout], run: Run, cluster: LocalCluster
):
    # Given a second rollout that no operator can finish: its only fleet does not answer any more
    scenario, _, first = baking
    other = scenario.fleet("tools", replicas=1)
    second = scenario.apply("tools", other, quick(25, 100, bake="30m"))
    scenario.traffic(other)
    second.reaches(25, seconds=60)
    other.pods[0].sidecar.kill()

    # When both are rolled back
    done = run("rollback", "--all", "-n", scenario.namespace, "--yes", "--timeout", "10s")

    # Then one is told to be restored and the other not to be, with the reason, and the status says so
    assert done.code == 7
    assert f"{first.key}: at the baseline." in done.out
    assert f"{second.key}: NOT restored: " in done.out
    assert "1 of 2 rollouts done, 1 not" in done.out

    # And the API server does not proxy to loopback, which is said, and the operator's account is there
    assert "by the operator's account 3 of 3 sidecars confirmed" in done.out
    assert "the sidecars could not be asked from here: " in done.out


def test_an_intent_does_not_apply_to_another_state_than_the_one_shown(
    baking: tuple[Scenario, Fleet, AppliedRollout], cluster: LocalCluster
):
    # Given what a person saw
    scenario, _, rollout = baking
    rollouts = Rollouts(Connection(cluster.api, scenario.namespace, "https://local"))
    shown = rollout.read()

    # When somebody else edits it before the person pauses it
    rollout.edit({"watchAfter": "11m"})

    # Then the pause is refused, and nothing was paused
    with pytest.raises(StaleError, match="changed meanwhile"):
        ask(rollouts, shown, PAUSE)
    assert rollout.read().spec.mode == "Auto"

    # And it is for the new state once that was seen
    asked, _ = ask(rollouts, rollout.read(), PAUSE)
    assert asked.spec.mode == "Paused"


def test_a_step_is_approved_promoted_and_skipped(scenario: Scenario, run: Run):
    # Given a rollout whose second step needs an approval, and bakes that last longer than the test
    fleet = scenario.fleet()
    scenario.operator()
    scenario.traffic(fleet)
    plan = quick(25, 50, 75, 100, bake="30m")
    plan["steps"][1]["approval"] = "Required"
    rollout = scenario.apply("gateway", fleet, plan)
    rollout.reaches(25, seconds=60)
    place = ("gateway", "-n", scenario.namespace)

    # When it is approved and promoted
    approved = run("approve", *place, "--percent", "50", "--by", "ann")
    assert approved.code == 0, approved.err
    promoted = run("promote", *place, "--percent", "25", "--by", "ann")
    assert promoted.code == 0, promoted.err

    # Then it goes on without the rest of the bake, and it is recorded who asked, and with what
    seen = rollout.reaches(50, seconds=60)
    assert any("ann via sark-rollout-cli" in entry.message for entry in seen.status.history)

    # And what makes no sense is refused
    assert run("skip", *place, "--to", "50").code == 1
    assert "no later step needs an approval" in run("approve", *place).err

    # And when a step is left out, then it goes to the one that was named, and tells what was left out
    skipped = run("skip", *place, "--to", "100", "--by", "ann")
    assert skipped.code == 0, skipped.err
    seen = rollout.reaches(100, seconds=60)
    assert [entry.reason for entry in seen.status.history if entry.reason == "StepsSkipped"] == ["StepsSkipped"]
    assert not any(entry.to_percent == 75 for entry in seen.status.history)


def test_an_operator_that_is_away_is_said(scenario: Scenario, run: Run):
    fleet = scenario.fleet(replicas=1)
    scenario.apply("gateway", fleet, quick(25, 100))
    done = run("pause", "gateway", "-n", scenario.namespace, "--timeout", "2s")
    assert done.code == 7
    assert "it is written, but the operator has not answered within 2 s" in done.err
