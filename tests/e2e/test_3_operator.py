"""What happens to the operator's own pods with a rollout live: deleted, scaled, upgraded, uninstalled."""

from __future__ import annotations

from sark_api.status import Phase
from sark_e2e.deadline import eventually
from sark_e2e.example import quick
from sark_e2e.pods.application import NAMESPACE
from sark_e2e.pods.release import NAMESPACE as RELEASE_NAMESPACE
from sark_e2e.pods.stage import Stage

LONG = quick(50, 100, bake="15s")
BAKED = 2000


def test_the_operators_pod_is_deleted(stage: Stage):
    with stage.rollout("deleted", LONG) as rollout:
        rollout.bakes(50, milliseconds=BAKED, seconds=180)
        [pod] = stage.release.pods()
        stage.kubectl("delete", "pod", pod, "-n", RELEASE_NAMESPACE)
        done = rollout.becomes(Phase.COMPLETED, seconds=300)
        assert [entry.reason for entry in done.status.history] == ["Started", "Advanced", "Completed"]
        assert pod not in stage.release.pods()


def test_a_second_replica_takes_over(stage: Stage):
    # Given a rollout that is being proven by one of two replicas
    with stage.rollout("takeover", quick(50, 100, bake="20s")) as rollout:
        stage.release.upgrade({"replicas": 2})
        eventually(lambda: len(stage.release.pods()) == 2, what="two replicas", seconds=60)
        rollout.bakes(50, milliseconds=BAKED, seconds=180)
        leader = stage.release.holder()

        # When the one that leads is killed
        stage.kubectl("delete", "pod", leader, "-n", RELEASE_NAMESPACE, "--grace-period=0", "--force")

        # Then the other takes over, and each step is taken once
        eventually(lambda: stage.release.holder() not in ("", leader), what="another holder of the Lease", seconds=60)
        done = rollout.becomes(Phase.COMPLETED, seconds=300)
        assert [entry.reason for entry in done.status.history] == ["Started", "Advanced", "Completed"]


def test_the_chart_is_upgraded(stage: Stage):
    with stage.rollout("upgrade", quick(50, 100, bake="20s")) as rollout:
        rollout.bakes(50, milliseconds=BAKED, seconds=180)
        old = set(stage.release.pods())
        stage.release.upgrade({"replicas": 2, "podAnnotations": {"example.com/upgraded": "yes"}})
        assert old.isdisjoint(stage.release.pods())
        done = rollout.becomes(Phase.COMPLETED, seconds=300)
        assert [entry.reason for entry in done.status.history] == ["Started", "Advanced", "Completed"]


def test_the_chart_is_uninstalled(stage: Stage):
    # Given a rollout that is being proven
    with stage.rollout("uninstall", quick(50, 100, bake="5m")) as rollout:
        rollout.bakes(50, milliseconds=BAKED, seconds=180)

        # When the release is uninstalled, then the fleet is on its baseline before the operator has gone
        stage.release.uninstall()
        try:
            stage.serves(0, seconds=5)
            assert stage.release.pods() == []
            assert rollout.read().status.phase is Phase.REVERTED
        finally:
            # And it can be installed again, where everything it kept still is
            stage.release.install()
    assert (
        stage.kubectl("get", "configmap", "gateway-flags", "-n", NAMESPACE, "-o", "name").strip() == "configmap/gateway-flags"
    )
