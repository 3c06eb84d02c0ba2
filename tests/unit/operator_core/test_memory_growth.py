from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import nan
from random import Random

import pytest

from sark_api.spec import MemoryGrowth
from sark_api.status import CriterionStatus, Verdict
from sark_e2e.simulated_target import memory
from sark_operator.core.observation import MemorySeries, Missing
from sark_operator.core.verdicts.memory_growth import is_seen, judge_memory_growth

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MIB = 1024


def grown(kibibytes_per_hour: float, length: timedelta = HOUR, pod: str = "gw-0") -> MemorySeries:
    return memory(kibibytes_per_hour, NOON, length, pod)


def judged(growth: float, before: float | None = None, *, settings: MemoryGrowth | None = None) -> CriterionStatus:
    """Judge a pod that grows by `growth` now, and grew by `before` over all the windows growth must last."""
    long = () if before is None else (grown(before, 4 * HOUR),)
    return judge_memory_growth(settings or MemoryGrowth(), (grown(growth),), long)


@pytest.mark.parametrize(
    ("growth", "before", "verdict"),
    [
        (0, 0, Verdict.PASS),
        (2 * MIB, 2 * MIB, Verdict.PASS),
        (-50 * MIB, 0, Verdict.PASS),
        (0, None, Verdict.PASS),
        # It has lasted, and goes on.
        (2.1 * MIB, 2.1 * MIB, Verdict.BREACH),
        # It has not lasted, or nobody knows yet.
        (2.1 * MIB, 1.9 * MIB, Verdict.UNKNOWN),
        (2.1 * MIB, None, Verdict.UNKNOWN),
        (9.9 * MIB, None, Verdict.UNKNOWN),
        # It has lasted, and has ended.
        (0, 5 * MIB, Verdict.UNKNOWN),
        # It is too fast to wait.
        (10.1 * MIB, 0, Verdict.BREACH),
        (10.1 * MIB, None, Verdict.BREACH),
    ],
)
def test_growth_that_lasts_is_a_leak_and_so_is_growth_that_is_too_fast(
    growth: float, before: float | None, verdict: Verdict
) -> None:
    assert judged(growth, before).verdict is verdict


def test_each_verdict_says_what_it_rests_on() -> None:
    assert judged(0, 0).message == (
        "memoryGrowth at least 0.0 MiB/h <= 2.0 MiB/h with 99.9% confidence: pod gw-0 grows 0.0 MiB/h over 1h (1 pod)"
    )
    assert judged(5 * MIB, 4 * MIB).message == (
        "memoryGrowth at least 4.0 MiB/h > 2.0 MiB/h with 99.9% confidence: pod gw-0 grows 4.0 MiB/h over 4h (1 pod)"
    )
    assert judged(5 * MIB).message == (
        "memoryGrowth Unknown: at least 5.0 MiB/h > 2.0 MiB/h with 99.9% confidence: pod gw-0 grows 5.0 MiB/h over 1h (1 pod); "
        "a leak if it lasts for 4h"
    )
    assert judged(0, 5 * MIB).message == (
        "memoryGrowth Unknown: at least 5.0 MiB/h > 2.0 MiB/h with 99.9% confidence: pod gw-0 grows 5.0 MiB/h over 4h (1 pod); "
        "but over the last 1h less than the limit"
    )
    assert judged(20 * MIB).message == (
        "memoryGrowth at least 20.0 MiB/h > 10.0 MiB/h with 99.9% confidence: pod gw-0 grows 20.0 MiB/h over 1h (1 pod); "
        "too fast to wait: 5 times the limit"
    )


def test_growth_that_may_yet_be_a_leak_holds_and_is_no_blindness() -> None:
    status = judged(5 * MIB)

    assert (status.verdict, status.seen, status.value, status.limit) == (Verdict.UNKNOWN, True, "5.0 MiB/h", "2.0 MiB/h")


def test_a_long_time_that_cannot_be_read_is_unknown_but_hides_nothing_that_is_too_fast() -> None:
    away = Missing("MetricsRefused", "the range is too long")

    def beside(growth: float) -> CriterionStatus:
        return judge_memory_growth(MemoryGrowth(), (grown(growth),), away)

    assert (beside(0).verdict, beside(0).message, beside(0).seen) == (
        Verdict.UNKNOWN,
        "memoryGrowth Unknown: the range is too long",
        False,
    )
    assert beside(11 * MIB).verdict is Verdict.BREACH


def test_one_window_is_enough_where_growth_need_not_last() -> None:
    settings = MemoryGrowth(sustained_windows=1)

    assert judge_memory_growth(settings, (grown(2.1 * MIB),)).verdict is Verdict.BREACH
    assert judge_memory_growth(settings, (grown(1.9 * MIB),)).verdict is Verdict.PASS


def test_the_worst_pod_decides_and_is_named() -> None:
    now = (grown(0), grown(5 * MIB, pod="gw-1"), grown(MIB, pod="gw-2"))
    long = (grown(0, 4 * HOUR), grown(5 * MIB, 4 * HOUR, "gw-1"), grown(MIB, 4 * HOUR, "gw-2"))

    status = judge_memory_growth(MemoryGrowth(), now, long)

    assert status.verdict is Verdict.BREACH
    assert (status.value, status.limit, status.samples) == ("5.0 MiB/h", "2.0 MiB/h", 3)
    assert "pod gw-1 grows 5.0 MiB/h over 4h (3 pods)" in status.message


def test_a_pod_whose_growth_has_ended_does_not_hide_one_whose_growth_goes_on() -> None:
    now = (grown(0), grown(3 * MIB, pod="gw-1"))
    long = (grown(9 * MIB, 4 * HOUR), grown(3 * MIB, 4 * HOUR, "gw-1"))

    status = judge_memory_growth(MemoryGrowth(), now, long)

    assert status.verdict is Verdict.BREACH
    assert "pod gw-1" in status.message


def test_a_pod_that_grows_too_fast_is_not_hidden_by_one_in_order() -> None:
    status = judge_memory_growth(MemoryGrowth(), (grown(0), grown(11 * MIB, pod="gw-1"), grown(MIB, pod="gw-2")), ())

    assert status.verdict is Verdict.BREACH
    assert "pod gw-1 grows 11.0 MiB/h over 1h" in status.message


def test_growth_of_which_the_newest_window_does_not_show_the_end_is_a_leak() -> None:
    # Given growth that has lasted, and a newest window so noisy that it may as well have gone on
    random = Random(1)
    points = tuple((60.0 * minute, 1e8 + 1.5e6 * minute / 60 + random.gauss(0, 4e6)) for minute in range(61))
    noisy = MemorySeries("gw-0", points)
    slope = noisy.slope()
    assert slope is not None
    limit = 2 * MIB * 1024 / 3600
    assert slope.value < limit < slope.upper

    # Then it is taken back
    assert judge_memory_growth(MemoryGrowth(), (noisy,), (grown(5 * MIB, 4 * HOUR),)).verdict is Verdict.BREACH


def test_a_pod_that_is_gone_takes_nothing_back() -> None:
    status = judge_memory_growth(MemoryGrowth(), (grown(0),), (grown(9 * MIB, 4 * HOUR, "gone"),))

    assert status.verdict is Verdict.PASS


def test_of_many_pods_the_worst_must_be_surer() -> None:
    # Given a pod whose growth is just sure enough alone
    random = Random(3)
    points = tuple((60.0 * minute, 1e8 + 2100 * 1024 * minute / 60 + random.gauss(0, 1e5)) for minute in range(61))
    settings = MemoryGrowth(limit_kibibytes_per_hour=1800, sustained_windows=1)
    assert judge_memory_growth(settings, (MemorySeries("gw-0", points),)).verdict is Verdict.BREACH

    # When it is the worst of five hundred
    fleet = (MemorySeries("gw-0", points), *(grown(0, pod=f"gw-{number}") for number in range(1, 500)))

    # Then it is not: one of so many looks like this by chance
    assert judge_memory_growth(settings, fleet).verdict is Verdict.PASS


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
    status = judge_memory_growth(MemoryGrowth(), series)
    assert (status.verdict, status.seen) == (Verdict.UNKNOWN, False)
    assert not is_seen(series)


def test_missing_memory_is_unknown_and_unseen() -> None:
    missing = Missing("MetricsUnreachable", "no answer")

    assert judge_memory_growth(MemoryGrowth(), missing).message == "memoryGrowth Unknown: no answer"
    assert not is_seen(missing)


def test_young_memory_is_seen() -> None:
    young = (grown(0, timedelta(minutes=1)),)
    assert is_seen(young)
    assert judge_memory_growth(MemoryGrowth(), young).seen


def test_the_trend_of_a_pod_is_reckoned_once():
    # An answer of Prometheus serves several ticks, and the slope of sixty points is much of what one costs.
    series = MemorySeries("gw-0", tuple((60.0 * minute, 1e8 + minute) for minute in range(60)))

    assert series.slope() is not None
    assert series.slope(3) is series.slope(3)
