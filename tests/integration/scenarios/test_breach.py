"""A new arm that fails or is slow is taken back to 0% by itself, and the object says why with numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from sark_api.status import Phase
from sark_e2e.admin_port import first_fault_at
from sark_e2e.deadline import eventually
from sark_e2e.example import quick
from sark_e2e.fleet import Fleet
from sark_e2e.scenario import Scenario

ERRORS = (
    {"error_percent": 30},
    {"errorRate", "fallbackRate"},  # whichever is proven first: every failure of the engine is answered by the baseline
    r"(errorRate [\d.]+% > 1|fallbackRate [\d.]+% > 0\.1)[\d.]*% over 5s \([\d,]+ requests\)",
)
LATENCY = (
    {"latency_ms": 200},
    {"latencyP95"},
    r"latencyP95 [\d.]+% > 5(\.0+)?% of [\d,]+ requests over 5s took longer than [\d.]+ ms",
)


@pytest.mark.parametrize(("fault", "criteria", "numbers"), [ERRORS, LATENCY], ids=["errors", "latency"])
def test_a_breach_reverts_by_itself(scenario: Scenario, fault: dict[str, float], criteria: set[str], numbers: str):
    # Given a rollout that is being proven at 25%
    fleet = scenario.fleet()
    scenario.operator()
    traffic = scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(25, 100, bake="60s"))
    rollout.bakes(25, milliseconds=1000, seconds=60)

    # When the new arm goes bad
    fleet.inject(**fault)

    # Then it goes back to 0%, and every sidecar serves the baseline
    reverted = rollout.becomes(Phase.REVERTED, seconds=45)
    reports = scenario.serves(fleet, 0, seconds=5)
    status = reverted.status
    assert status.flags is not None
    assert status.flags.percent == 0

    # And the record names the criterion, its value and its limit
    revert = status.revert
    assert revert is not None
    assert (revert.reason, revert.from_percent) == ("CriterionBreached", 25)
    assert revert.criterion in criteria
    assert re.search(numbers, revert.message), revert.message
    assert status.message == revert.message
    assert [entry.reason for entry in status.history] == ["Started", "CriterionBreached", "BaselineRestored"]

    # And the order of events is what it must be: hurt, decided, written, served
    hurt = first_fault_at(fleet)
    assert hurt is not None
    assert hurt < revert.decided_at
    assert revert.decided_at <= max(report.since for report in reports.values())
    assert {report.revision for report in reports.values()} == {revert.revision}
    assert revert.completed_at is not None

    # And every request the engine failed was answered by the baseline
    assert traffic.stats().failures == 0

    # And it stays there, without the user's word
    rollout.stays("0%", lambda seen: seen.status.phase is Phase.REVERTED, seconds=3)


def test_a_breach_does_not_wait_for_the_next_look_where_another_rollout_sees_it(scenario: Scenario):
    # Given a rollout at 25% that looks only every five minutes, and one beside it that looks every second
    seldom, often = scenario.fleet("seldom", replicas=1), scenario.fleet("often", replicas=1)
    scenario.operator()
    scenario.traffic(seldom)
    watched = scenario.apply("seldom", seldom, quick(25, 100, bake="30m"))
    scenario.apply("often", often, quick(25, 100, bake="30m"))
    watched.bakes(25, milliseconds=8000, seconds=60)
    watched.edit({"interval": "5m", "validFor": "15m"})
    watched.until("taking up its interval", lambda seen: seen.status.observed_generation == 2, seconds=15)

    # When its new arm fails altogether
    seldom.inject(error_percent=100)

    # Then it goes back long before it would have looked again
    reverted = watched.becomes(Phase.REVERTED, seconds=60).status
    assert reverted.revert is not None
    assert reverted.revert.reason == "CriterionBreached"
    scenario.serves(seldom, 0, seconds=5)


def test_a_breach_is_not_forgotten_while_the_api_server_refuses_the_flags(scenario: Scenario):
    # Given a rollout that is being proven at 25%, and a policy of the cluster by which nobody may write ConfigMaps
    fleet = scenario.fleet(replicas=1)
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, {**quick(25, 100, bake="300s"), "validFor": "5m"})
    rollout.bakes(25, milliseconds=1000, seconds=60)
    with refused_config_maps(scenario, fleet):
        # When the new arm goes bad, and is well again for longer than the window
        fleet.inject(error_percent=40)
        rollout.becomes(Phase.REVERTING, seconds=45)
        fleet.inject(error_percent=0)
        rollout.stays("a revert that is known", lambda seen: seen.status.phase is Phase.REVERTING, seconds=12)
        assert scenario.flags(fleet).percentage == 25
        events: Any = client.EventsV1Api(scenario.cluster.api).list_namespaced_event(scenario.namespace)
        assert [
            event.note for event in events.items if event.reason == "BaselineNotRestored" and "flags are frozen" in event.note
        ]

    # Then, as soon as flags may be written, it is taken back, and the record says why
    reverted = rollout.becomes(Phase.REVERTED, seconds=45)
    scenario.serves(fleet, 0, seconds=10)
    assert [entry.reason for entry in reverted.status.history] == ["Started", "CriterionBreached", "BaselineRestored"]


@contextmanager
def refused_config_maps(scenario: Scenario, fleet: Fleet) -> Iterator[None]:
    """Let the API server refuse every write of the fleet's flags, by an admission policy of its own."""
    admission, core = client.AdmissionregistrationV1Api(scenario.cluster.api), client.CoreV1Api(scenario.cluster.api)
    name = f"{scenario.namespace}-flags"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}
    ours = f"object.metadata.namespace == '{scenario.namespace}' && object.metadata.name == '{fleet.config_map}'"
    policy = {
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "matchConditions": [{"name": "ours", "expression": ours}],
            "validations": [{"expression": "false", "message": "flags are frozen"}],
        },
    }
    binding = {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}
    admission.create_validating_admission_policy(policy)
    admission.create_validating_admission_policy_binding(binding)

    def is_refused() -> bool:
        patch = {"metadata": {"annotations": {"tried": "1"}}}
        try:
            core.patch_namespaced_config_map(fleet.config_map, scenario.namespace, patch, dry_run="All")
        except ApiException as error:
            return "flags are frozen" in str(error.body)
        return False

    try:
        eventually(is_refused, what="an API server that refuses", seconds=30)
        yield
    finally:
        admission.delete_validating_admission_policy_binding(name)
        admission.delete_validating_admission_policy(name)
