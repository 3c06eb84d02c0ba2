"""The operator's benchmark: what its sidecars expose, and how figures are taken from counters."""

from __future__ import annotations

from math import inf

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sark_api.flags import FeatureFlags, FlagDocument
from sark_e2e.bench.operator.exposition import PODS, RATE, Pods
from sark_e2e.bench.operator.measure import percentile
from sark_e2e.bench.operator.operator_metrics import Counted
from sark_operator.shell.answers import LatencyByArm, RequestsByArm, gathered, samples


def exposed(pods: Pods, seconds: float) -> list[dict[str, object]]:
    """What Prometheus would answer with."""
    families = text_string_to_metric_families(pods.text(seconds))
    return [
        {"metric": {"__name__": each.name, **each.labels}, "value": [0, str(each.value)]}
        for family in families
        for each in family.samples
    ]


def at(percent: int) -> Pods:
    flags = FeatureFlags(rust_opa_enabled=True, rust_cache_enabled=True, rollout_percentage=percent)
    return Pods("bench-0/r1", FlagDocument(feature_flags=flags, salt="uid", rollout="bench-0/r1", revision=7).sealed())


def test_its_requests_are_those_of_the_share_in_force():
    found = [each for each in samples(exposed(at(50), 10)) if each[0]["__name__"] == "sark_requests_total"]
    arms = gathered(found, RequestsByArm())["bench-0/r1"]

    assert (arms["rust"].requests, arms["python"].requests) == (PODS * RATE * 5, PODS * RATE * 5)
    assert arms["rust"].errors == 0


def test_failing_pods_fail_in_the_new_arm_alone_and_counters_never_fall():
    pods = at(50)
    pods.text(10)
    pods.failing = True
    found = [each for each in samples(exposed(pods, 10)) if each[0]["__name__"] == "sark_requests_total"]
    arms = gathered(found, RequestsByArm())["bench-0/r1"]

    assert (arms["rust"].requests, arms["rust"].errors) == (PODS * RATE * 10, PODS * RATE * 5)
    assert arms["python"].errors == 0


def test_its_latencies_can_be_read():
    found = [each for each in samples(exposed(at(50), 10)) if each[0]["__name__"].startswith("sark_request_duration")]
    histogram = gathered(found, LatencyByArm())["bench-0/r1"]["rust"]

    assert histogram.bounds[-1] == inf
    assert histogram.total == PODS * RATE * 5


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_a_percentile_is_one_of_the_values(share: float, value: float):
    assert percentile(list(range(1, 101)), share) == value


def test_figures_are_differences_between_two_moments():
    def moment(fast: float, all_of_them: float) -> Counted:
        return Counted(
            {
                ("lag_bucket", frozenset({("le", "0.1")})): fast,
                ("lag_bucket", frozenset({("le", "+Inf")})): all_of_them,
                ("apiserver_request_total", frozenset({("resource", "pods"), ("verb", "LIST")})): all_of_them,
                ("apiserver_request_total", frozenset({("resource", "pods"), ("verb", "WATCH")})): 999.0,
                ("apiserver_request_total", frozenset({("resource", "nodes"), ("verb", "LIST")})): 999.0,
            }
        )

    added = moment(90, 100).since(moment(10, 10))

    assert added.quantile("lag", 0.5) == 0.1
    assert added.quantile("lag", 0.99) == inf
    assert added.api_calls() == 90
    assert added.quantile("nothing", 0.99) == 0
