"""Rows are medians of rounds, ratios are taken within a round, and a row that is not what it says is refused."""

from __future__ import annotations

import pytest

from sark_e2e.bench.cache_use import CacheClaim, CacheUse, counter
from sark_e2e.bench.contestants import FLOOR
from sark_e2e.bench.decisions import Measurement, check_claim, ratio, rows
from sark_e2e.bench.failure import BenchError
from sark_e2e.bench.load import Load

METRICS = """\
# HELP cache_operations_total Operations on the decision cache.
# TYPE cache_operations_total counter
cache_operations_total{implementation="rust",operation="get",result="hit",sark_rollout=""} 90
cache_operations_total{implementation="rust",operation="get",result="miss",sark_rollout=""} 10
cache_operations_total{implementation="rust",operation="set",result="ok",sark_rollout=""} 10
cache_operations_total{implementation="python",operation="get",result="hit",sark_rollout=""} 5
cache_operations_total{implementation="python",operation="get",result="hit",sark_rollout="shop/gateway"} 2
cache_operations_total_created{implementation="rust",operation="get",result="hit"} 1
"""


def measured(key: str, number: int, per_second: float, *, connections: int = 16, p50: float = 1.0) -> Measurement:
    return Measurement(key, number, connections, Load(1000, per_second, p50, 2.0, 3.0), cpu_us=4.0)


def claim(*, cached: bool) -> CacheClaim:
    return CacheClaim("http://127.0.0.1/metrics", "rust", cached)


def test_a_ratio_is_taken_within_its_round():
    # Given a machine that was twice as fast in the second round, for all alike
    floor = [measured(FLOOR, 1, 1000), measured(FLOOR, 2, 2000)]
    rust = [measured("rust", 1, 400), measured("rust", 2, 800)]

    # Then the ratio does not know of it
    assert ratio(rust, floor) == pytest.approx(0.4)


def test_a_row_is_the_median_of_its_rounds():
    measurements = [
        *(measured(FLOOR, number, 1000) for number in (1, 2, 3)),
        measured("rust", 1, 500, p50=9),
        measured("rust", 2, 100, p50=7),
        measured("rust", 3, 700, p50=8),
    ]

    floor, rust = rows(measurements)

    assert (floor.key, floor.of_floor) == (FLOOR, 1.0)
    assert (rust.per_second, rust.slowest, rust.fastest) == (500, 100, 700)
    assert (rust.of_floor, rust.p50_us, rust.cpu_us) == (0.5, 8, 4.0)


def test_numbers_of_connections_are_not_mixed():
    measurements = [
        measured(FLOOR, 1, 1000),
        measured("rust", 1, 500),
        measured(FLOOR, 1, 100, connections=1),
        measured("rust", 1, 90, connections=1),
    ]

    found = {(row.key, row.connections): row.of_floor for row in rows(measurements)}

    assert found == {(FLOOR, 16): 1.0, ("rust", 16): 0.5, (FLOOR, 1): 1.0, ("rust", 1): 0.9}


@pytest.mark.parametrize(("cached", "hits"), [(True, 1.0), (True, 0.995), (False, 0.0), (False, 0.005)])
def test_a_row_that_is_what_it_says_is_taken(cached: bool, hits: float):
    check_claim(claim(cached=cached), "rust arm", hits)


@pytest.mark.parametrize(
    ("cached", "hits", "sentence"),
    [
        (True, 0.5, "rust arm: only 50.0% of the questions were answered from the cache"),
        (False, 0.02, "rust arm: 2.0% of the questions were answered from the cache, and none should be"),
    ],
)
def test_a_row_that_is_not_what_it_says_is_refused(cached: bool, hits: float, sentence: str):
    with pytest.raises(BenchError, match=sentence):
        check_claim(claim(cached=cached), "rust arm", hits)


def test_hits_are_counted_from_where_they_were_before():
    assert CacheUse(190, 20).share_since(CacheUse(100, 10)) == pytest.approx(0.9)


def test_a_cache_that_was_not_asked_proves_nothing():
    with pytest.raises(BenchError, match="looked nothing up"):
        CacheUse(5, 5).share_since(CacheUse(5, 5))


def test_counters_are_summed_over_what_is_not_asked_for():
    assert counter(METRICS, "cache_operations_total", implementation="rust", operation="get", result="hit") == 90
    assert counter(METRICS, "cache_operations_total", implementation="python", operation="get", result="hit") == 7
    assert counter(METRICS, "cache_operations_total", implementation="rust", operation="get") == 100
    assert counter(METRICS, "cache_operations_total", implementation="go") == 0
