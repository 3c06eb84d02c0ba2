from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import nan

import pytest

from sark_api.spec import MemoryGrowth
from sark_api.status import Verdict
from sark_e2e.simulated_target import memory
from sark_operator.core.observation import MemorySeries, Missing
from sark_operator.core.verdicts.memory_growth import is_seen, judge_memory_growth

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MIB = 1024


def grown(kibibytes_per_hour: float, length: timedelta = HOUR, pod: str = "gw-0") -> MemorySeries:
    return memory(kibibytes_per_hour, NOON, length, pod)


@pytest.mark.parametrize(
    ("growth", "verdict"), [(0, Verdict.PASS), (2 * MIB, Verdict.PASS), (2.1 * MIB, Verdict.BREACH), (-50 * MIB, Verdict.PASS)]
)
def test_a_pod_that_grows_faster_than_the_limit_breaches(growth: float, verdict: Verdict) -> None:
    assert judge_memory_growth(MemoryGrowth(), (grown(growth),)).verdict is verdict


def test_the_worst_pod_decides_and_is_named() -> None:
    status = judge_memory_growth(MemoryGrowth(), (grown(0), grown(5 * MIB, pod="gw-1"), grown(MIB, pod="gw-2")))

    assert status.verdict is Verdict.BREACH
    assert (status.value, status.limit, status.samples) == ("5.0 MiB/h", "2.0 MiB/h", 3)
    assert "pod gw-1 grows 5.0 MiB/h over 1h (3 pods)" in status.message


def test_noise_around_no_growth_is_no_breach() -> None:
    # Sawtooth of 20 MiB: single pairs of points have slopes of hundreds of MiB/h, the trend is flat.
    points = tuple((float(second), 1e8 + (second // 60 % 7) * 3e6) for second in range(0, 3600, 60))

    status = judge_memory_growth(MemoryGrowth(), (MemorySeries("gw-0", points),))

    assert status.verdict is Verdict.PASS


def test_a_steep_slope_that_is_not_certain_is_no_breach() -> None:
    points = tuple((float(minute * 60), value) for minute, value in enumerate([1e8, 2e8] * 4 + [3e8, 1e8]))
    settings = MemoryGrowth(window=timedelta(minutes=9))

    status = judge_memory_growth(settings, (MemorySeries("gw-0", points),))

    assert status.verdict is Verdict.PASS


def test_young_pods_are_left_out_but_one_must_be_old_enough() -> None:
    young, old = grown(500 * MIB, timedelta(minutes=50), "gw-1"), grown(0)

    alone = judge_memory_growth(MemoryGrowth(), (young,))
    beside = judge_memory_growth(MemoryGrowth(), (young, old))

    assert alone.verdict is Verdict.UNKNOWN
    assert alone.message == "memoryGrowth Unknown: none of 1 pod has 8 points of memory over 1h"
    assert beside.verdict is Verdict.PASS
    assert beside.message.endswith("1 pod too young to judge")


def test_a_pod_known_for_nine_tenths_of_the_window_is_old_enough() -> None:
    assert judge_memory_growth(MemoryGrowth(), (grown(0, timedelta(minutes=54)),)).verdict is Verdict.PASS


@pytest.mark.parametrize("series", [(), (MemorySeries("gw-0", ()),), (MemorySeries("gw-0", ((0.0, nan), (4000.0, nan))),)])
def test_no_points_are_unknown_and_unseen(series: tuple[MemorySeries, ...]) -> None:
    assert judge_memory_growth(MemoryGrowth(), series).verdict is Verdict.UNKNOWN
    assert not is_seen(series)


def test_missing_memory_is_unknown_and_unseen() -> None:
    missing = Missing("MetricsUnreachable", "no answer")

    assert judge_memory_growth(MemoryGrowth(), missing).message == "memoryGrowth Unknown: no answer"
    assert not is_seen(missing)


def test_young_memory_is_seen() -> None:
    assert is_seen((grown(0, timedelta(minutes=1)),))


def test_the_trend_of_a_pod_is_reckoned_once():
    # An answer of Prometheus serves several ticks, and the slope of sixty points is much of what one costs.
    series = MemorySeries("gw-0", tuple((60.0 * minute, 1e8 + minute) for minute in range(60)))

    assert series.slope() is not None
    assert series.slope() is series.slope()
