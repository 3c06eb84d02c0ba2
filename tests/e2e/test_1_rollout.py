"""A rollout on real pods goes to its end when all is well, and back when the new arm is bad."""

from __future__ import annotations

from sark_api.status import Phase
from sark_e2e.example import quick
from sark_e2e.pods.application import REPLICAS
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
    with stage.rollout("breach", quick(50, 100, bake="30s")) as rollout:
        rollout.bakes(50, milliseconds=2000, seconds=180)

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
