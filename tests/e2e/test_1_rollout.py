"""A rollout on real pods goes to its end when all is well, and back when the new arm is bad."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sark_api.status import Phase
from sark_e2e.example import quick
from sark_e2e.pods.application import NAME, NAMESPACE, REPLICAS, SIDECAR
from sark_e2e.pods.stage import Stage


def test_a_whole_rollout(stage: Stage):
    # Given four pods with their sidecars on the baseline
    before = stage.answers()
    assert set(stage.serves(0, seconds=30)) == set(stage.pods())

    # When a rollout is applied
    with stage.rollout("whole", quick(25, 50, 100)) as rollout:
        done = rollout.becomes(Phase.COMPLETED, seconds=300)

        # Then it has come to 100% step by step, by the sidecars' own account, and every call has had its decision
        assert [entry.reason for entry in done.status.history] == ["Started", "Advanced", "Advanced", "Completed"]
        assert len(stage.serves(100, seconds=10)) == REPLICAS
        assert stage.undecided_since(before) == {}


def test_a_breach_goes_back(stage: Stage):
    # Given a rollout that is being proven at 50%
    before = stage.answers()
    with stage.proof("breach") as rollout:
        # When the new arm gets slow in every pod
        stage.inject(latency_ms=400)
        try:
            back = rollout.becomes(Phase.REVERTED, seconds=180)
        finally:
            stage.inject()

        # Then every sidecar is back on its baseline, because of that, and nobody went without a decision
        assert "latencyP95" in back.status.history[-2].message
        stage.serves(0, seconds=10)
        assert stage.undecided_since(before) == {}


def test_sidecars_that_are_injected(stage: Stage):
    # Given a Deployment without a sidecar, whose pods are given one when they are created
    if "mutatingadmissionpolicies" not in stage.kubectl("api-resources", "--api-group=admissionregistration.k8s.io"):
        pytest.skip("injection needs Kubernetes 1.36")
    with stage.injection():
        assert "initContainers" not in _spec(stage, "deployment", NAME)["template"]["spec"]
        injected = stage.pods()
        assert [[each["name"] for each in _spec(stage, "pod", pod)["initContainers"]] for pod in injected] == [
            [SIDECAR]
        ] * REPLICAS
        before = stage.answers()

        # When a rollout is applied
        with stage.rollout("injected", quick(50, 100)) as rollout:
            rollout.becomes(Phase.COMPLETED, seconds=300)

            # Then it has come to 100% by the injected sidecars' own account, and they have let calls in and refused others
            assert set(stage.serves(100, seconds=10)) == set(injected)
            after = stage.answers()
            assert all(after[each] > before[each] for each in ("allow", "deny"))
            assert {kind: n for kind, n in stage.undecided_since(before).items() if kind.startswith("http")} == {}


def _spec(stage: Stage, kind: str, name: str) -> Any:
    return json.loads(stage.kubectl("get", kind, name, "-n", NAMESPACE, "-o", "json"))["spec"]
