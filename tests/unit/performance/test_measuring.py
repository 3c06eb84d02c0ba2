"""The pure parts of what measures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sark_e2e.bench.failure import BenchError
from sark_e2e.bench.questions import MARK
from sark_e2e.performance import open_loop, profile, stability
from sark_e2e.performance.asked import KINDS, mixed
from sark_e2e.performance.scenarios import SCENARIOS
from sark_e2e.performance.stability import Sample
from sark_e2e.performance.statistics import of_times

PRINTED = {
    "answers": 95,
    "errors": 5,
    "refused": 5,
    "unanswered": 5,
    "first_error": "HTTP/1.1 503: busy",
    "answers_each_second": [40, 55],
    "seconds": 2.0,
    **{f"{name}_us": 1500.0 for name in ("p50", "p95", "p99", "mean", "max", "late_p99")},
}


def test_times_become_percentiles_in_milliseconds():
    numbers = of_times([number / 1000 for number in range(100, 0, -1)])
    assert [numbers[name] for name in ("p50", "p95", "p99", "min", "max")] == [
        (50, "ms"),
        (95, "ms"),
        (99, "ms"),
        (1, "ms"),
        (100, "ms"),
    ]
    assert numbers["ops"] == (pytest.approx(100 / 5.05), "1/s")
    assert of_times([1.0, 1.0], wall_seconds=1.0)["ops"] == (2, "1/s")
    with pytest.raises(ValueError, match="no operation"):
        of_times([])


def test_the_three_scenarios_of_the_report_ask_twice_a_second_for_each_user():
    assert {name: SCENARIOS[name].rate for name in ("baseline", "target", "stress")} == {
        "baseline": 100,
        "target": 2000,
        "stress": 5000,
    }
    assert {SCENARIOS[name].minutes for name in ("baseline", "target")} == {30}
    assert all(scenario.asked in KINDS for scenario in SCENARIOS.values())


def test_a_scenario_shrinks_to_ten_seconds_and_grows_to_its_plan_at_most():
    target = SCENARIOS["target"]
    assert (target.seconds(1), target.ramp(1)) == (1800, 10)
    assert (target.seconds(1 / 60), target.ramp(1 / 60)) == (30, 10)
    assert (target.seconds(0.0001), target.ramp(0.0001)) == (10, pytest.approx(10 / 3))


def test_a_fifth_of_the_mixed_questions_is_new_each_time():
    marked = sum(MARK in json.dumps(each) for each in mixed(0.2))
    assert 70 < marked < 130
    assert all(MARK in json.dumps(each) for each in mixed(1.0))
    assert mixed(0.2) == mixed(0.2)


def test_refused_and_unanswered_questions_are_errors_and_no_wrong_decisions():
    seen = open_loop.parse(json.dumps(PRINTED))
    assert (seen.asked, seen.error_percent, seen.per_second, seen.p95_ms) == (100, 10.0, 45.0, 1.5)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"errors": 6}, "1 of 95 decisions were wrong"),
        ({"answers": 5}, "no decision at all"),
        ({"answers": "many"}, "something else than a result"),
    ],
)
def test_a_wrong_decision_ends_the_run(change: dict[str, object], sentence: str):
    with pytest.raises(BenchError, match=sentence):
        open_loop.parse(json.dumps(PRINTED | change))


def samples(stretch: int, count: int, *, per_hour: float = 0.0, first: float = 0.0) -> list[Sample]:
    return [Sample(stretch, first + number / 10, 100 + per_hour * number / 10, number) for number in range(count)]


def test_a_slope_is_of_the_longest_stretch_without_its_youth():
    young = [Sample(0, number / 10, 50 + 10 * number, number) for number in range(10)]
    found = stability.slope(young + samples(1, 40, per_hour=3, first=1.0))
    assert found.value == pytest.approx(3)
    with pytest.raises(BenchError, match="too few"):
        stability.slope(samples(0, 5))


def test_growth_does_not_count_what_a_restart_took_away():
    both = samples(0, 41, per_hour=3) + samples(1, 41, per_hour=3, first=4.0)
    assert stability.growth(both) == pytest.approx(2 * 3 * 3.1, rel=0.05)


def test_a_run_goes_on_where_its_file_ends(tmp_path: Path):
    state = tmp_path / "samples.jsonl"
    assert stability.read(state) == []
    state.write_text(
        '{"stretch": 0, "at": 0.1, "memory_mb": 90.0, "requests": 7}\n{"stretch": 0, "at": 0.2, "mem', encoding="utf-8"
    )
    assert stability.read(state) == [Sample(0, 0.1, 90.0, 7)]


def test_a_profile_goes_to_the_part_that_its_innermost_known_frame_names():
    by_part, by_frame = profile.parts(
        [
            "thread;run (sark_sidecar/service.py:1);post (aiohttp/client.py:5);__libc_send 7",
            "thread;tokio::runtime;sark_serve::connection;sark_engine::program::run;memcpy 2",
            "thread;tokio::runtime;sark_serve::connection 3",
            "thread;run (sark_sidecar/service.py:1);select (selectors.py:464);epoll_wait (libc.so.6) 90",
            "thread;0x7fb1368a3f16 (libc.so.6) 90",
            "no count",
        ]
    )
    assert by_part == {"kernel: sockets": 7, "engine: evaluation": 2, "data plane: HTTP": 3}
    assert by_frame["memcpy"] == 2
