"""A Prometheus that answers, and says nothing one could rely on: nothing advances on it, and nothing is taken back at once."""

from __future__ import annotations

from typing import Any

import pytest

from sark_api.status import Phase, Verdict
from sark_e2e.applied_rollout import proven_milliseconds, serves
from sark_e2e.cluster import LocalCluster
from sark_e2e.example import quick
from sark_e2e.faults.prometheus_proxy import PrometheusProxy
from sark_e2e.scenario import Scenario


@pytest.mark.long
def test_answers_that_are_late_empty_or_no_numbers_hold_and_are_recovered_from(cluster: LocalCluster, scenario: Scenario):
    # Given a rollout that is being proven at 50%, by what a Prometheus says through a proxy
    fleet = scenario.fleet(replicas=2)
    scenario.operator()
    scenario.traffic(fleet)
    with PrometheusProxy(cluster.prometheus.url, listen=cluster.network.server) as proxy:
        place = {"prometheus": {"address": proxy.url, "timeout": "1s"}, "rollback": {"blindFor": "10m"}}
        rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="10m"), **place})
        rollout.bakes(50, milliseconds=1000, seconds=90)

        for mood in ("slow", "nan", "empty"):
            # When it answers later than it is given time for, or with what is no number, or with nothing
            proxy.mood = mood

            # Then the errors are Unknown, the step is held, and nothing is proven by it
            def unknown(seen: Any) -> bool:
                verdicts = {each.name: each.verdict for each in seen.status.criteria}
                return verdicts.get("errorRate") is Verdict.UNKNOWN and bool(seen.status.bake and seen.status.bake.frozen)

            held = rollout.until(f"an unknown error rate with answers that are {mood}", unknown, seconds=60)
            proven = proven_milliseconds(held)
            rollout.stays(
                "50% and a frozen bake",
                lambda seen, proven=proven: (
                    serves(seen, 50) and seen.status.phase is Phase.PROGRESSING and proven_milliseconds(seen) == proven
                ),
                seconds=2,
            )

            # And when it is well again the bake goes on from where it stood
            proxy.mood = ""
            rollout.until("a bake that goes on", lambda seen, proven=proven: proven_milliseconds(seen) > proven, seconds=60)
    assert [entry.reason for entry in rollout.read().status.history] == ["Started"]
