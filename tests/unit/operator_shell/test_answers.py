from __future__ import annotations

import json
import tracemalloc
from math import isnan

import pytest

from sark_api.spec import Alerts
from sark_operator.core.points import Points
from sark_operator.shell.answers import (
    MOST_FIRING,
    AnswerError,
    LatencyByArm,
    by_time,
    finite,
    firing,
    gathered,
    memory_by_rollout,
    samples,
)
from sark_operator.shell.series import Series


def vector(*buckets: tuple[str, str, str]) -> list[dict[str, object]]:
    """A latency answer of Prometheus: (rollout, le, count) each."""
    return [
        {"metric": {"sark_rollout": rollout, "implementation": "rust", "le": le}, "value": [1.0, count]}
        for rollout, le, count in buckets
    ]


def test_a_pod_with_two_addresses_is_one_series_in_order_of_time_and_times_are_kept_once() -> None:
    # Given a pod that came back elsewhere, one that is measured at the same times, and a number that is none
    def series(pod: str, instance: str, *points: tuple[float, str]) -> dict[str, object]:
        return {
            "metric": {"sark_rollout": "shop/gw", "pod": pod, "instance": instance},
            "values": [list(each) for each in points],
        }

    answer = [
        series("gw-0", "b", (30.0, "3"), (40.0, "4")),
        series("gw-1", "c", (10.0, "7"), (30.0, "NaN"), (40.0, "8")),
        series("gw-0", "a", (10.0, "1"), (30.0, "5")),
        series("gw-2", "d", (40.0, "8"), (10.0, "7")),
    ]
    # When it is read
    first, second, third = memory_by_rollout(answer)["shop/gw"]
    # Then each pod has its points, the larger where there are two
    assert (first.pod, first.points) == ("gw-0", ((10.0, 1.0), (30.0, 5.0), (40.0, 4.0)))
    assert (second.pod, second.points) == ("gw-1", ((10.0, 7.0), (40.0, 8.0)))
    assert isinstance(second.points, Points)
    assert isinstance(third.points, Points)
    assert second.points.times is third.points.times


@pytest.mark.parametrize("bad", [("shop/bad", "abc", "1"), ("shop/bad", "0.1", "1"), ("shop/bad", "+Inf", "NaN")])
def test_one_rollouts_bad_histogram_is_its_own_fault_only(bad: tuple[str, str, str]) -> None:
    # Given an answer in which one rollout's histogram cannot be reckoned with
    answer = vector(bad, ("shop/good", "0.1", "3"), ("shop/good", "+Inf", "4"))
    # When it is read
    read = gathered(samples(answer), LatencyByArm())
    # Then that one is not finite, and the other one is whole
    assert not finite([], read["shop/bad"].values())
    assert isnan(read["shop/bad"]["rust"].total)
    assert read["shop/good"]["rust"].counts == (3.0, 4.0)


def test_more_alerts_than_are_looked_at_are_refused() -> None:
    # Given as many as may fire, beside one that is resolved
    alerts = [{"metric": {"alertname": str(number)}, "value": [1.0, "1"]} for number in range(MOST_FIRING)]
    resolved = {"metric": {"alertname": "over"}, "value": [1.0, "0"]}
    assert firing([*alerts, resolved]).about("shop/gateway", Alerts(match_labels={"alertname": "7"}))

    with pytest.raises(AnswerError, match=r"has 10,001 alerts that fire, and at most 10,000 are looked at"):
        firing([*alerts, {**resolved, "value": [1.0, "1"]}])


def test_reading_a_long_answer_takes_little_more_memory_than_its_text() -> None:
    # Given histograms of two hundred rollouts, each bucket with all its labels
    bounds = [*map(str, range(12)), "+Inf"]
    series = [
        {"metric": {"sark_rollout": f"shop/gateway-{number}", "implementation": "rust", "le": bound}, "values": [[15, "1"]]}
        for number in range(200)
        for bound in bounds
    ]
    body = json.dumps({"status": "success", "data": {"result": series}}).encode()

    # When they are read
    tracemalloc.start()
    try:
        read = by_time(Series.of(body), LatencyByArm)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # Then no more is held at once than twice the text: with the labels of all buckets it would be four times as much
    assert read[15]["shop/gateway-199"]["rust"].counts == (1.0,) * 13
    assert peak < 2 * len(body)
