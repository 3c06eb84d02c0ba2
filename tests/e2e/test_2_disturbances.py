"""What happens to pods every day, in the middle of a bake: replaced, evicted, drained, out of memory, out of sight."""

from __future__ import annotations

import json

from sark_api.status import ConditionStatus
from sark_cli.rollout import Rollout
from sark_e2e.applied_rollout import proven_milliseconds, serves
from sark_e2e.deadline import eventually
from sark_e2e.pods import servers
from sark_e2e.pods.application import LABELS, NAMESPACE, SIDECAR
from sark_e2e.pods.pod_cluster import selector
from sark_e2e.pods.stage import Stage

OUT_OF_MEMORY = """
import os, time
open("/proc/1/oom_score_adj", "w").write("1000")
for _ in range(24):
    if not os.fork():
        held = bytearray(b"x") * (24 << 20)
        break
time.sleep(60)
"""
"""Many small processes, so that the kernel, which ends the largest, takes the sidecar and none of them."""


def test_a_rolling_update_of_the_application(stage: Stage):
    # Given a rollout that is being proven
    before, old = stage.answers(), set(stage.pods())
    with stage.proof("update") as rollout:
        # When the application is rolled
        stage.kubectl("rollout", "restart", "deployment/gateway", "-n", NAMESPACE)
        stage.gateway_settles()

        # Then the proof goes on and comes to its end with the new pods, and no call was left without a decision
        stage.finishes(rollout)
        assert old.isdisjoint(stage.serves(100, seconds=10))
        assert {kind: n for kind, n in stage.undecided_since(before).items() if kind.startswith("http")} == {}


def test_an_evicted_pod(stage: Stage):
    with stage.proof("eviction") as rollout:
        evicted = stage.pods()[0]
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": evicted, "namespace": NAMESPACE}}
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{evicted}/eviction"
        stage.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
        stage.finishes(rollout)
        stage.gateway_settles()
        assert evicted not in stage.serves(100, seconds=30)


def test_a_drained_node(stage: Stage):
    # Given a rollout that is being proven
    node = stage.kubectl("get", "pods", "-n", NAMESPACE, "-l", selector(LABELS), "-o", "jsonpath={.items[0].spec.nodeName}")
    with stage.proof("drain") as rollout:
        # When the gateway's pods are drained from their node and, without another, wait for it
        drained = ("drain", node, f"--pod-selector={selector(LABELS)}", "--ignore-daemonsets", "--delete-emptydir-data")
        stage.kubectl(*drained, "--timeout=120s", seconds=130)
        rollout.until("no pod to confirm it", _has_nobody, seconds=60)
        proven = proven_milliseconds(rollout.read())

        # Then nothing is proven without pods, and the proof goes on when they are back
        rollout.stays("50% without proof", lambda seen: serves(seen, 50) and proven_milliseconds(seen) == proven, seconds=8)
        stage.kubectl("uncordon", node)
        stage.gateway_settles()
        stage.finishes(rollout)
        stage.serves(100, seconds=30)


def _has_nobody(rollout: Rollout) -> bool:
    return rollout.status.convergence is not None and rollout.status.convergence.total == 0


def test_a_sidecar_out_of_memory(stage: Stage):
    # Given a rollout that is being proven
    with stage.proof("memory") as rollout:
        pod = stage.pods()[0]

        # When the kernel has to choose who dies in the sidecar's container, and is told to choose the sidecar
        stage.in_sidecar(pod, OUT_OF_MEMORY, fails=True)

        # Then the kubelet says so and starts it again, and the proof goes on and comes to its end with it
        eventually(lambda: _last_end(stage, pod) == "OOMKilled", what="the sidecar to be killed for its memory", seconds=60)
        stage.finishes(rollout)
        assert pod in stage.serves(100, seconds=30)


def _last_end(stage: Stage, pod: str) -> str:
    statuses = json.loads(stage.kubectl("get", "pod", pod, "-n", NAMESPACE, "-o", "json"))["status"]["initContainerStatuses"]
    [sidecar] = [each for each in statuses if each["name"] == SIDECAR]
    return str(sidecar["lastState"].get("terminated", {}).get("reason", ""))


def test_a_prometheus_that_is_cut_off(stage: Stage):
    # Given a rollout that is being proven
    with stage.proof("blind") as rollout:
        # When nobody reaches Prometheus any more
        with stage.cluster.cut(servers.MONITORING, {"app": "prometheus"}, servers.PROMETHEUS_PORT):
            rollout.until("metrics to be unavailable", _is_blind, seconds=60)
            proven = proven_milliseconds(rollout.read())

            # Then it holds: no step, and no time is proven
            rollout.stays("50% without proof", lambda seen: serves(seen, 50) and proven_milliseconds(seen) == proven, seconds=8)

        # And when it can be reached again, then the proof goes on and comes to its end
        stage.finishes(rollout)


def _is_blind(rollout: Rollout) -> bool:
    return any(e.type == "MetricsAvailable" and e.status is ConditionStatus.FALSE for e in rollout.status.conditions)
