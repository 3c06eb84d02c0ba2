"""A Prometheus that answers, and says nothing one could rely on: nothing advances on it, and nothing is taken back at once."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes import client

from sark_api.status import ConditionStatus, Phase, Verdict
from sark_e2e.applied_rollout import proven_milliseconds, serves
from sark_e2e.cluster import LocalCluster
from sark_e2e.example import quick
from sark_e2e.faults.prometheus_proxy import PrometheusProxy
from sark_e2e.prometheus import ANNOTATION_SCRAPE
from sark_e2e.scenario import Scenario


@pytest.mark.long
def test_answers_that_are_late_empty_partial_or_no_numbers_hold_and_are_recovered_from(
    cluster: LocalCluster, scenario: Scenario
):
    # Given a rollout that is being proven at 50%, by what a Prometheus says through a proxy
    fleet = scenario.fleet(replicas=2)
    scenario.operator()
    scenario.traffic(fleet)
    with PrometheusProxy(cluster.prometheus.url, listen=cluster.network.server) as proxy:
        place = {"prometheus": {"address": proxy.url, "timeout": "1s"}, "rollback": {"blindFor": "10m"}}
        rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="10m"), **place})
        rollout.bakes(50, milliseconds=1000, seconds=90)

        for mood in ("slow", "nan", "empty", "partial"):
            # When it answers later than it is given time for, or with what is no number, or with nothing, or not with all
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


@pytest.mark.long
def test_a_fleet_of_which_a_part_is_scraped_proves_nothing(scenario: Scenario):
    # Given a rollout that is being proven at 50%
    fleet = scenario.fleet(replicas=2)
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="10m"), "validFor": "5m"})
    rollout.bakes(50, milliseconds=1000, seconds=60)
    core = client.CoreV1Api(scenario.cluster.api)

    def scrape(wanted: str) -> None:
        annotations = {"metadata": {"annotations": {ANNOTATION_SCRAPE: wanted}}}
        core.patch_namespaced_pod(fleet.pods[1].name, scenario.namespace, annotations)

    # When Prometheus no longer scrapes one of its two pods, then the step is held, though all that is seen is good
    scrape("false")
    held = rollout.until(
        "one of two that is seen", lambda seen: "fresh samples of 1 of 2 ready sidecars" in seen.status.message, seconds=60
    )
    proven = proven_milliseconds(held)
    rollout.stays("50% and a frozen bake", lambda seen: serves(seen, 50) and proven_milliseconds(seen) == proven, seconds=4)

    # And when it is scraped again the bake goes on
    scrape("true")
    rollout.until("a bake that goes on", lambda seen: proven_milliseconds(seen) > proven, seconds=60)
    assert [entry.reason for entry in rollout.read().status.history] == ["Started"]


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_prometheus_whose_clock_is_wrong_proves_nothing_good_and_hides_nothing_bad(cluster: LocalCluster, scenario: Scenario):
    # Given a rollout that is being proven at 50%
    fleet = scenario.fleet(replicas=2)
    scenario.operator()
    scenario.traffic(fleet)
    with PrometheusProxy(cluster.prometheus.url, listen=cluster.network.server) as proxy:
        place = {"prometheus": {"address": proxy.url}, "rollback": {"blindFor": "10m"}, "validFor": "5m"}
        rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="10m"), **place})
        rollout.bakes(50, milliseconds=1000, seconds=90)

        # When Prometheus' clock is an hour behind, so that it has nothing of the times it is asked for
        proxy.ahead_seconds = -3600

        # Then the step is held, although the last seconds look good by the server's own clock
        held = rollout.until(
            "no counting windows",
            lambda seen: any("no counting window for" in each.message for each in seen.status.criteria),
            seconds=240,
        )
        verdicts = {each.name: each.verdict for each in held.status.criteria}
        assert verdicts["errorRate"] is Verdict.UNKNOWN
        proven = proven_milliseconds(held)
        rollout.stays("50% and a frozen bake", lambda seen: serves(seen, 50) and proven_milliseconds(seen) == proven, seconds=5)

        # And when it is half a minute behind, it goes on, by windows that are over by the server's clock
        proxy.ahead_seconds = -30
        rollout.until("a bake that goes on", lambda seen: proven_milliseconds(seen) > proven, seconds=90)

        # And a new arm that fails is taken back
        fleet.inject(error_percent=40)
        rollout.becomes(Phase.REVERTED, seconds=90)
        scenario.serves(fleet, 0, seconds=10)
    assert [entry.reason for entry in rollout.read().status.history] == ["Started", "CriterionBreached", "BaselineRestored"]


@pytest.mark.long
def test_a_prometheus_whose_clock_is_minutes_off_is_named_and_hides_nothing_bad(cluster: LocalCluster, scenario: Scenario):
    # Given a rollout that is being proven at 50%
    fleet = scenario.fleet(replicas=1)
    scenario.operator()
    scenario.traffic(fleet)
    with PrometheusProxy(cluster.prometheus.url, listen=cluster.network.server) as proxy:
        rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="10m"), "prometheus": {"address": proxy.url}})
        rollout.bakes(50, milliseconds=1000, seconds=60)

        for seconds, said in ((-300, "5m behind the operator's"), (300, "5m ahead of the operator's")):
            # When Prometheus' clock is five minutes behind, or ahead
            proxy.ahead_seconds = seconds

            # Then the step is held, and a condition names the clocks
            held = rollout.until(
                f"a clock that is {said}", lambda seen, said=said: f"clock is {said}" in seen.status.message, seconds=30
            )
            [available] = [each for each in held.status.conditions if each.type == "MetricsAvailable"]
            assert (available.status, available.reason) == (ConditionStatus.FALSE, "MetricsUnavailable")
            assert said in available.message
            proven = proven_milliseconds(held)
            rollout.stays(
                "50% and a frozen bake",
                lambda seen, proven=proven: (
                    serves(seen, 50) and seen.status.phase is Phase.PROGRESSING and proven_milliseconds(seen) == proven
                ),
                seconds=3,
            )

            # And when the clocks agree the bake goes on
            proxy.ahead_seconds = 0
            rollout.until("a bake that goes on", lambda seen, proven=proven: proven_milliseconds(seen) > proven, seconds=60)

        # And a new arm that fails while the clock is ahead is taken back at once: not by windows that are minutes old
        proxy.ahead_seconds = 300
        rollout.until("clocks apart", lambda seen: "ahead of the operator's" in seen.status.message, seconds=30)
        fleet.inject(error_percent=40)
        reverted = rollout.becomes(Phase.REVERTED, seconds=60)
        scenario.serves(fleet, 0, seconds=10)
    assert [entry.reason for entry in reverted.status.history] == ["Started", "CriterionBreached", "BaselineRestored"]
