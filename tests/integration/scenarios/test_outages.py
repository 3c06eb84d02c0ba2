"""What cannot be seen proves nothing and condemns nothing: the bake clock stands still, and goes on where it stood."""

from __future__ import annotations

import time

import pytest

from sark_api.status import ConditionStatus, Phase, Verdict
from sark_e2e.applied_rollout import is_reverted, proven_milliseconds, serves
from sark_e2e.cluster import LocalCluster
from sark_e2e.example import quick
from sark_e2e.scenario import Scenario


def test_a_killed_sidecar_stops_the_bake_until_it_is_back(scenario: Scenario):
    # Given a rollout that is being proven at 50%
    fleet = scenario.fleet()
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="10s"))
    rollout.bakes(50, milliseconds=1000, seconds=60)

    # When a sidecar is killed, and its pod is still taken for ready
    fleet.pods[1].sidecar.kill()

    # Then the bake stands still, and the status names the pod
    frozen = rollout.until("a frozen bake", lambda seen: bool(seen.status.bake and seen.status.bake.frozen), seconds=15)
    assert frozen.status.reason == "SidecarsUnreachable"
    assert fleet.pods[1].name in frozen.status.message
    proven = proven_milliseconds(frozen)
    rollout.stays("a frozen bake at 50%", lambda seen: proven_milliseconds(seen) == proven and serves(seen, 50), seconds=4)

    # And when it is restarted, the bake goes on from where it stood, and the next step comes
    fleet.pods[1].restart()
    going = rollout.until("a bake that goes on", lambda seen: proven_milliseconds(seen) > proven, seconds=30)
    assert serves(going, 50)
    rollout.reaches(100, seconds=60)
    scenario.serves(fleet, 100, seconds=5)


def test_a_crashed_pod_that_is_not_ready_does_not_hold_up_the_rest(scenario: Scenario):
    # Given a rollout that is being proven at 50%
    fleet = scenario.fleet()
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100))
    rollout.bakes(50, milliseconds=1000, seconds=60)

    # When a sidecar crashes and its pod is no longer ready, then the others carry the step on
    fleet.pods[2].crash()
    rollout.reaches(100, seconds=60)

    # And when it is back it is asked too: it serves the share that is in force by then
    fleet.pods[2].restart()
    rollout.until("three confirmed sidecars", lambda seen: seen.status.summary.replicas == "3/3", seconds=30)
    scenario.serves(fleet, 100, seconds=5)


def test_without_prometheus_it_holds_and_recovers(cluster: LocalCluster, scenario: Scenario):
    # Given a rollout that is being proven at 50%
    fleet = scenario.fleet()
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="10s"))
    rollout.bakes(50, milliseconds=1000, seconds=60)

    # When Prometheus stops
    cluster.prometheus.stop()
    try:
        # Then a condition says so, and every criterion is Unknown
        condition = rollout.shows("MetricsAvailable", ConditionStatus.FALSE, "MetricsUnavailable", seconds=20)
        assert cluster.prometheus.url in condition.message
        blind = rollout.read()
        assert {each.verdict for each in blind.status.criteria} == {Verdict.UNKNOWN}
        assert blind.status.summary.verdict == "Unknown"

        # And it neither goes on nor goes back, and proves nothing
        proven = proven_milliseconds(blind)
        rollout.stays(
            "50% and a frozen bake",
            lambda seen: serves(seen, 50) and seen.status.phase is Phase.PROGRESSING and proven_milliseconds(seen) == proven,
            seconds=6,
        )
        scenario.serves(fleet, 50, seconds=0)
    finally:
        cluster.prometheus.start()

    # And when it is back, the bake goes on from where it stood, and the next step comes
    rollout.until("a bake that goes on", lambda seen: proven_milliseconds(seen) > proven and serves(seen, 50), seconds=30)
    later = rollout.reaches(100, seconds=60)
    assert [entry.reason for entry in later.status.history] == ["Started", "Advanced"]


def test_a_share_that_nobody_sees_for_too_long_goes_back(cluster: LocalCluster, scenario: Scenario):
    # Given a rollout that is being proven at 50%, and may be blind for eight seconds
    fleet = scenario.fleet()
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="60s") | {"rollback": {"blindFor": "8s"}})
    rollout.bakes(50, milliseconds=1000, seconds=60)

    # When Prometheus stops, and stays away
    cluster.prometheus.stop()
    try:
        # Then the fleet goes back to baseline, every sidecar confirms it, and the reason is told
        reverted = rollout.becomes(Phase.REVERTED, seconds=60)
        assert is_reverted(reverted)
        scenario.serves(fleet, 0, seconds=5)
        revert = reverted.status.revert
        assert revert is not None
        assert revert.reason == "BlindTooLong"
        assert [entry.reason for entry in reverted.status.history] == ["Started", "BlindTooLong", "BaselineRestored"]

        # And nothing but an outage was seen: no criterion was breached
        assert {each.verdict for each in reverted.status.criteria} == {Verdict.UNKNOWN}
    finally:
        cluster.prometheus.start()

    # And it stays there when Prometheus is back
    rollout.stays("0%", is_reverted, seconds=6)
    scenario.serves(fleet, 0, seconds=0)


@pytest.mark.parametrize("engine", [pytest.param("Enabled", marks=pytest.mark.long), "Disabled"])
def test_an_opa_below_both_arms_that_is_away_holds_and_condemns_neither(cluster: LocalCluster, scenario: Scenario, engine: str):
    # Given a rollout of the cache that is being proven at 50%: both arms ask OPA; or of the engine, which does not need it
    fleet = scenario.fleet(replicas=2, overrides={"cache": {"ttl": "1s"}})
    scenario.operator()
    scenario.traffic(fleet)
    edits = {**quick(50, 100, bake="10m"), "features": {"opa": engine, "cache": "Enabled"}}
    rollout = scenario.apply("gateway", fleet, edits)
    rollout.bakes(50, milliseconds=1000, seconds=60)

    # When OPA stops
    cluster.opa.stop()
    try:
        # Then the step is held, and nothing is taken back for what both arms suffer from
        held = rollout.until("a frozen bake", lambda seen: bool(seen.status.bake and seen.status.bake.frozen), seconds=30)
        proven = proven_milliseconds(held)
        last = rollout.stays(
            "50% and a frozen bake",
            lambda seen: serves(seen, 50) and seen.status.phase is Phase.PROGRESSING and proven_milliseconds(seen) == proven,
            seconds=12,
        )
        verdicts = {each.name: (each.verdict, each.message) for each in last.status.criteria}
        if engine == "Disabled":
            assert verdicts["errorRate"][0] is Verdict.UNKNOWN
            assert "the baseline has 100.0% in the same time" in verdicts["errorRate"][1]
        else:
            assert verdicts["errorRate"][0] is Verdict.PASS
            assert "0 decisions of the baseline arm" in verdicts["denyShift"][1]
    finally:
        cluster.opa.start()

    # And when it is back the bake goes on
    rollout.until("a bake that goes on", lambda seen: proven_milliseconds(seen) > proven, seconds=90)
    assert [entry.reason for entry in rollout.read().status.history] == ["Started"]


@pytest.mark.long
def test_a_killed_operator_goes_on_where_it_was(scenario: Scenario):
    # Given a rollout in the middle of a step
    fleet = scenario.fleet()
    operator = scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="8s"))
    before = rollout.bakes(50, milliseconds=3000, seconds=60)

    # When the operator is killed without warning, and nobody is there for a while
    operator.kill()
    left = rollout.read()
    time.sleep(2)
    scenario.serves(fleet, 50, seconds=0)
    operator.start()

    # Then what had been proven still counts, in the same step
    proven = proven_milliseconds(left)
    assert proven >= proven_milliseconds(before)
    after = rollout.until("a bake that goes on", lambda seen: proven_milliseconds(seen) > proven, seconds=45)
    assert after.status.step == left.status.step
    assert after.status.flags is not None
    assert left.status.flags is not None
    assert after.status.flags.share_revision == left.status.flags.share_revision

    # And it comes to its end, with each transition once
    completed = rollout.becomes(Phase.COMPLETED, seconds=60)
    assert [entry.reason for entry in completed.status.history] == ["Started", "Advanced", "Completed"]
    assert completed.status.history[0] == left.status.history[0]
    scenario.serves(fleet, 100, seconds=5)
