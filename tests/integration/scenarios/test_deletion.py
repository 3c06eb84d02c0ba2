"""Deleting a rollout restores the baseline first."""

from __future__ import annotations

import signal

import pytest
from kubernetes import client

from sark_api.status import Phase
from sark_e2e.applied_rollout import AppliedRollout
from sark_e2e.example import quick
from sark_e2e.fleet import Fleet
from sark_e2e.scenario import Scenario

NEVER = {"days": ["Mon"], "start": "03:00", "end": "03:01"}
LONG = {**quick(50, 100, bake="300s"), "rollback": {"blindFor": "10m"}}


def test_deletion_at_half_way_restores_the_baseline_first(scenario: Scenario):
    # Given a rollout at 50%
    fleet = scenario.fleet()
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="60s"))
    rollout.reaches(50, seconds=60)
    revision = scenario.flags(fleet).revision

    # When it is deleted, then by the time the object is gone the flags ask for the baseline
    rollout.delete()
    rollout.vanishes(seconds=30)
    flags = scenario.flags(fleet)
    assert flags.percentage == 0
    assert not flags.feature_flags.rust_opa_enabled
    assert flags.revision > revision

    # And every sidecar serves it
    reports = scenario.serves(fleet, 0, seconds=5)
    assert {report.revision for report in reports.values()} == {flags.revision}


@pytest.mark.parametrize("namespace", ["stays", "goes"])
def test_deletion_together_with_the_flags(scenario: Scenario, namespace: str):
    # Given a completed rollout, whose sidecars go by what they were told last, for as long as nobody tells them otherwise
    fleet = scenario.fleet(replicas=1)
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100))
    rollout.becomes(Phase.COMPLETED, seconds=90)
    core = client.CoreV1Api(scenario.cluster.api)

    # When its ConfigMap goes before it does, as when both are pruned
    if namespace == "goes":
        core.delete_namespace(scenario.namespace)
    core.delete_namespaced_config_map(fleet.config_map, scenario.namespace)
    rollout.delete()
    rollout.vanishes(seconds=30)

    # Then they have been told, but where nothing can be created any more
    if namespace == "stays":
        assert scenario.flags(fleet).percentage == 0
        scenario.serves(fleet, 0, seconds=10)
    else:
        names = {each.metadata.name for each in core.list_namespaced_config_map(scenario.namespace).items}
        assert fleet.config_map not in names


@pytest.mark.long
def test_deletion_in_every_other_phase_leaves_the_baseline(scenario: Scenario):
    # Given a rollout in each phase, with a fleet of its own: not begun, paused, on its way back, gone back, and completed
    edits = {
        "pending": {**LONG, "windows": [NEVER]},
        "paused": LONG,
        "reverting": LONG,
        "reverted": LONG,
        "completed": quick(50, 100),
    }
    fleets: dict[str, Fleet] = {name: scenario.fleet(name, replicas=1) for name in edits}
    scenario.operator()
    scenario.traffic(fleets["completed"])
    rollouts: dict[str, AppliedRollout] = {name: scenario.apply(name, fleets[name], edits[name]) for name in edits}
    hung = fleets["reverting"].pods[0].sidecar
    for name in ("paused", "reverting", "reverted"):
        rollouts[name].reaches(50, seconds=90)
    hung.send(signal.SIGSTOP)
    rollouts["paused"].edit({"mode": "Paused"})
    for name in ("reverting", "reverted"):
        rollouts[name].edit({"mode": "Rollback"})
    for name, rollout in rollouts.items():
        rollout.becomes(Phase(name.capitalize()), seconds=90)

    # When all are deleted, and the sidecar that hung goes on
    for rollout in rollouts.values():
        rollout.delete()
    hung.send(signal.SIGCONT)

    # Then each goes, and no sidecar of any serves the new arm
    for name, rollout in rollouts.items():
        rollout.vanishes(seconds=60)
        scenario.serves(fleets[name], 0, seconds=10)
