"""What happens to the operator's own pods with a rollout live: deleted, scaled, upgraded, uninstalled."""

from __future__ import annotations

from sark_api.status import Phase
from sark_e2e.deadline import eventually
from sark_e2e.pods.application import NAMESPACE
from sark_e2e.pods.release import NAMESPACE as RELEASE_NAMESPACE
from sark_e2e.pods.stage import Stage

ONCE = ["Started", "SpecEdited", "Advanced", "Completed"]
"""What is recorded of a rollout in two steps whose bake was edited, when nothing is recorded twice and nothing left out."""


def test_the_operators_pod_is_deleted(stage: Stage):
    with stage.proof("deleted") as rollout:
        [pod] = stage.release.pods()
        stage.kubectl("delete", "pod", pod, "-n", RELEASE_NAMESPACE)
        done = stage.finishes(rollout)
        assert [entry.reason for entry in done.status.history] == ONCE
        assert pod not in stage.release.pods()


def test_a_second_replica_takes_over(stage: Stage):
    # Given a rollout that is being proven by one of two replicas
    stage.release.upgrade({"replicas": 2})
    eventually(lambda: len(stage.release.pods()) == 2, what="two replicas", seconds=60)
    with stage.proof("takeover") as rollout:
        leader = stage.release.holder()
        [other] = set(stage.release.pods()) - {leader}

        # When the one that leads is killed
        stage.kubectl("delete", "pod", leader, "-n", RELEASE_NAMESPACE, "--grace-period=0", "--force")

        # Then the other, or the one that comes for the dead, has the Lease and goes on with the proof
        eventually(lambda: stage.release.holder() not in ("", leader), what="another holder of the Lease", seconds=60)
        done = stage.finishes(rollout)
        assert leader not in stage.release.pods()
        assert other in stage.release.pods()
        assert done.status.leader is not None
        assert stage.release.holder() in done.status.leader.identity

        # And each transition has been recorded once, in the history, its evidence and the events
        assert [entry.reason for entry in done.status.history] == ONCE
        assert [entry.number for entry in done.status.history] == [1, 2, 3, 4]
        eventually(
            lambda: [each for each in stage.events(rollout) if each in ONCE] == sorted(ONCE), what="each event once", seconds=30
        )
    stage.release.upgrade({"replicas": 1})


def test_the_chart_is_upgraded(stage: Stage):
    with stage.proof("upgrade") as rollout:
        old = set(stage.release.pods())
        stage.release.upgrade({"replicas": 2, "podAnnotations": {"example.com/upgraded": "yes"}})
        assert old.isdisjoint(stage.release.pods())
        done = stage.finishes(rollout)
        assert [entry.reason for entry in done.status.history] == ONCE


def test_the_chart_is_uninstalled(stage: Stage):
    # Given a rollout that is being proven
    with stage.proof("uninstall") as rollout:
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
