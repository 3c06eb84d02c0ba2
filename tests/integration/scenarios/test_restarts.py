"""The store below the API server goes away and comes back: what was proven stays proven, and nothing is recorded twice."""

from __future__ import annotations

from sark_api.status import Phase
from sark_e2e.cluster import LocalCluster
from sark_e2e.example import quick
from sark_e2e.kept_running import KeptRunning
from sark_e2e.scenario import Scenario
from sark_operator.shell.leadership import LEASE_LOST_STATUS


def test_a_restarted_etcd_loses_nothing(cluster: LocalCluster, scenario: Scenario):
    # Given a rollout that is being proven at 50%
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="12s"), "validFor": "5m"})
    rollout.bakes(50, milliseconds=2000, seconds=60)
    revision = scenario.flags(fleet).revision

    # When etcd is stopped and started again
    with KeptRunning(operator) as keeper:
        cluster.control_plane.etcd.stop()
        cluster.control_plane.etcd.start()

        # Then the rollout comes to its end, each step once, and the flags were written for the last one and for nothing else
        done = rollout.becomes(Phase.COMPLETED, seconds=150)
    assert [entry.reason for entry in done.status.history] == ["Started", "Advanced", "Completed"]
    assert scenario.flags(fleet).revision == revision + 1
    assert set(keeper.ends) <= {LEASE_LOST_STATUS}
    scenario.serves(fleet, 100, seconds=10)
