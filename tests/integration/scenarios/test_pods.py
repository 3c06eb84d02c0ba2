"""Pods that come, go and do not hear: no step is proven by a fleet that is not the one it is about."""

from __future__ import annotations

import signal
import urllib.parse
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import pytest
from kubernetes import client

from sark_api.names import ARM_NEW, LABEL_IMPLEMENTATION, METRIC_FALLBACK, METRIC_REQUESTS
from sark_api.status import Phase
from sark_e2e.admin_port import first_fault_at, read
from sark_e2e.applied_rollout import AppliedRollout, proven_milliseconds, serves
from sark_e2e.deadline import eventually
from sark_e2e.example import quick
from sark_e2e.ledger import broken_promises, documents
from sark_e2e.scenario import Scenario


@pytest.mark.long
def test_all_pods_replaced_while_a_step_is_proven(scenario: Scenario):
    # Given a rollout that is being proven at 50%, for longer than any of this takes
    fleet = scenario.fleet(replicas=2)
    scenario.operator()
    traffic = scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="10m"))
    before = rollout.bakes(50, milliseconds=1000, seconds=60)

    # When every pod is replaced by a new one, as a Deployment does it: the new ones first
    old = list(fleet.pods)
    for _ in old:
        fleet.add_pod()
    for pod in old:
        fleet.pods.remove(pod)
        pod.remove()
    replaced_at = datetime.now(UTC)
    traffic.stop()
    scenario.traffic(fleet)

    # Then the new ones confirm the share in force, and what the old ones have proven is kept
    confirmed = rollout.until(
        "two new pods that confirm",
        lambda seen: (
            seen.status.summary.replicas == "2/2"
            and seen.status.evaluated_at is not None
            and seen.status.evaluated_at > replaced_at
        ),
        seconds=60,
        unless=lambda seen: seen.status.phase is Phase.REVERTED,
    )
    assert serves(confirmed, 50)
    proven = proven_milliseconds(confirmed)
    assert proven >= proven_milliseconds(before)

    # And what is left they prove themselves: the next step begins that much later, and not before
    left = timedelta(seconds=3)
    seconds = (proven + left / timedelta(milliseconds=1)) / 1000
    steps = quick(50, 100, bake=f"{ceil(seconds)}s")["steps"]
    rollout.edit({"steps": steps})
    rollout.reaches(100, seconds=90)
    scenario.serves(fleet, 100, seconds=10)
    history = rollout.read().status.history
    assert [entry.reason for entry in history][:3] == ["Started", "SpecEdited", "Advanced"]
    assert confirmed.status.evaluated_at is not None
    assert history[2].time - confirmed.status.evaluated_at >= left - timedelta(seconds=1)


@pytest.mark.long
def test_half_of_the_sidecars_that_do_not_confirm_hold_the_step(scenario: Scenario):
    # Given a target of which half the pods follow another ConfigMap: they answer, and never take the share over
    fleet, others = scenario.fleet(replicas=1), scenario.fleet("other", replicas=1)
    scenario.operator()
    scenario.traffic(fleet)
    core = client.CoreV1Api(scenario.cluster.api)
    stray = others.pods[0].name
    core.patch_namespaced_pod(stray, scenario.namespace, {"metadata": {"labels": fleet.labels}})

    # When a rollout begins, then it stays at its first step, unproven, and names the pod
    rollout = scenario.apply("gateway", fleet, quick(50, 100))
    held = rollout.until(
        "one of two that confirms",
        lambda seen: seen.status.reason == "Converging" and serves(seen, 50) and seen.status.summary.replicas == "1/2",
        seconds=60,
    )
    assert stray in held.status.message
    rollout.stays("an unproven 50%", lambda seen: serves(seen, 50) and proven_milliseconds(seen) == 0, seconds=8)

    # And when those pods are none of the target's any more, it goes on
    core.patch_namespaced_pod(stray, scenario.namespace, {"metadata": {"labels": others.labels}})
    rollout.reaches(100, seconds=60)


def test_a_breach_during_a_revert_changes_nothing_of_it(scenario: Scenario):
    # Given a rollout that goes back because the user asked, and cannot: no write of its flags gets through
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=2)
    scenario.operator(through=proxy.url)
    traffic = scenario.traffic(fleet)
    # Its document outlives the tries to write another one: sidecars go back by themselves when it ends.
    rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="300s"), "validFor": "5m"})
    rollout.bakes(50, milliseconds=1000, seconds=60)
    refused = proxy.inject("PATCH", rf"/configmaps/{fleet.config_map}\b", status=500)
    rollout.edit({"mode": "Rollback"})
    rollout.becomes(Phase.REVERTING, seconds=30)
    in_force = scenario.flags(fleet)
    assert in_force.percentage == 50

    # When the new arm fails as well, of which half of the requests are still sent to it
    assert first_fault_at(fleet) is None
    fleet.inject(error_percent=100)
    eventually(lambda: failing(scenario, rollout) > 0.5, what="a breach that Prometheus has seen", seconds=60)
    assert first_fault_at(fleet) is not None

    # And the operator looks at that, and tries again and again
    tried = refused.met
    eventually(lambda: refused.met >= tried + 3, what="further tries to write the flags", seconds=120)
    seen = rollout.read()
    assert seen.status.phase is Phase.REVERTING
    assert [entry.reason for entry in seen.status.history] == ["Started", "RolledBackByUser"]
    scenario.serves(fleet, 50, seconds=10)

    # And when flags can be written again, a sidecar hangs, so that it cannot end
    assert traffic.stats().failures == 0
    fleet.pods[1].sidecar.send(signal.SIGSTOP)
    try:
        proxy.clear()
        eventually(lambda: scenario.flags(fleet).percentage == 0, what="flags of the baseline", seconds=60)
        rollout.stays("a revert under way", lambda seen: seen.status.phase is Phase.REVERTING, seconds=4)
    finally:
        fleet.pods[1].sidecar.send(signal.SIGCONT)

    # Then the baseline is reached by one way back, for the first reason, and its document was written once
    done = rollout.becomes(Phase.REVERTED, seconds=60)
    scenario.serves(fleet, 0, seconds=10)
    assert [entry.reason for entry in done.status.history] == ["Started", "RolledBackByUser", "BaselineRestored"]
    assert done.status.revert is not None
    assert (done.status.revert.reason, done.status.revert.from_percent) == ("RolledBackByUser", 50)
    assert [each.percentage for each in documents(proxy.journal) if each.revision > in_force.revision] == [0]
    assert broken_promises(proxy.journal) == []


def failing(scenario: Scenario, rollout: AppliedRollout) -> float:
    """Return which share of the new arm's requests Prometheus saw fail within the last seconds; 0 where it saw none."""
    ours = f'sark_rollout="{rollout.key}"'
    failed, all_of_it = f"{METRIC_FALLBACK}{{{ours}}}", f'{METRIC_REQUESTS}{{{ours},{LABEL_IMPLEMENTATION}="{ARM_NEW}"}}'
    query = urllib.parse.urlencode({"query": f"sum(increase({failed}[5s])) / sum(increase({all_of_it}[5s])) > 0"})
    found: Any = read(f"{scenario.cluster.prometheus.url}/api/v1/query?{query}")
    return max((float(each["value"][1]) for each in found["data"]["result"]), default=0.0)
