"""A healthy new arm is taken to 100%, and every step says what it was proven with."""

from __future__ import annotations

import urllib.request

from sark_api.names import ARM_BASELINE, ARM_NEW, METRIC_REQUESTS
from sark_api.status import ConditionStatus, Phase
from sark_e2e.admin_port import statuses
from sark_e2e.bench.cache_use import counter
from sark_e2e.cluster import LocalCluster
from sark_e2e.dashboards import queries
from sark_e2e.example import quick
from sark_e2e.scenario import Scenario
from sark_e2e.sidecar import EmbeddingApplication


def test_a_healthy_rollout_completes_step_by_step(cluster: LocalCluster, scenario: Scenario):
    # Given a fleet under load, one of whose members decides inside its application, and an operator
    fleet = scenario.fleet(embedding=1)
    operator = scenario.operator()
    traffic = scenario.traffic(fleet)

    # And a Prometheus that scrapes the operator beside the sidecars, as the dashboards want it
    watching = scenario.prometheus_beside(fleet, operator)

    # When a rollout is applied
    rollout = scenario.apply("gateway", fleet, quick(5, 25, 100))

    # Then each step is confirmed by every sidecar in turn, with an end to its validity while the fleet is split
    for percent in (5, 25):
        rollout.reaches(percent, seconds=60)
        scenario.serves(fleet, percent, seconds=5)
        assert scenario.flags(fleet).valid_until is not None

    # And no panel of a dashboard is empty meanwhile
    for name, panel, query in queries(f"{scenario.namespace}/gateway"):
        watching.has_data(f"{name}: {panel}", query, seconds=20)

    # And it completes at 100%, as a program that waits for the condition sees
    completed = rollout.becomes(Phase.COMPLETED, seconds=60)
    cluster.kubectl("wait", "--for=condition=Completed", "--timeout=10s", "-n", scenario.namespace, "sarkrollout/gateway")
    scenario.serves(fleet, 100, seconds=5)
    assert scenario.flags(fleet).valid_until is None
    conditions = {each.type: each.status for each in completed.status.conditions}
    assert conditions["Ready"] is ConditionStatus.TRUE
    assert conditions["Progressing"] is ConditionStatus.FALSE
    assert conditions["Degraded"] is ConditionStatus.FALSE

    # And its history holds each transition once, with the numbers it rests on
    history = completed.status.history
    assert [(entry.reason, entry.from_percent, entry.to_percent) for entry in history] == [
        ("Started", 0, 5),
        ("Advanced", 5, 25),
        ("Advanced", 25, 100),
        ("Completed", 100, 100),
    ]
    assert all("errorRate 0" in entry.message and "latencyP95" in entry.message for entry in history[1:])
    assert [entry.revision for entry in history[:3]] == sorted({entry.revision for entry in history[:3]})
    assert completed.status.revert is None

    # And no application was ever left without a decision
    assert traffic.stats().failures == 0

    # And the member without a sidecar followed the flags and decided in both arms as the others did
    embedding = fleet.pods[-1].sidecar
    assert isinstance(embedding, EmbeddingApplication)
    assert statuses(fleet)[fleet.pods[-1].name]["data"] == {"in_process": True}
    for arm in (ARM_BASELINE, ARM_NEW):
        assert requests_of(embedding.admin_url, arm) > 0

    # And the books that are kept beside each scenario have seen all of it
    account = scenario.books.account("gateway")
    assert sorted({document.percentage for document in account.documents}) == [5, 25, 100]
    assert len(account.states) > len(history)
    assert {1, 2, 3} <= set(account.records)

    # And this is what a person sees
    table = cluster.kubectl("get", "sarkrollouts", "-n", scenario.namespace)
    header, row = (line.split() for line in table.splitlines())
    assert header[:8] == ["NAME", "PHASE", "TRAFFIC", "STEP", "BAKE", "VERDICT", "REPLICAS", "REASON"]
    assert row[:2] == ["gateway", "Completed"]
    assert row[2].startswith("100%->")
    assert row[3] == "3/3"
    assert row[6] == "3/3"
    described = cluster.kubectl("describe", "sarkrollout", "gateway", "-n", scenario.namespace)
    events = [line.split()[:2] for line in described.partition("\nEvents:")[2].splitlines()]
    assert [["Normal", reason] in events for reason in ("Started", "Advanced", "Completed")] == [True] * 3, described


def requests_of(admin_url: str, arm: str) -> float:
    """Requests that were answered by one arm, since this rollout's first share."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{admin_url}/metrics", timeout=5) as answer:
        return counter(answer.read().decode(), METRIC_REQUESTS, implementation=arm)
