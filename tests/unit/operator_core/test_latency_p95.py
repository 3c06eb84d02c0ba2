from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from math import inf, nan

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import LatencyP95
from sark_api.status import CriterionStatus, Verdict
from sark_operator.core.buckets import mended
from sark_operator.core.observation import ArmWindow, Histogram, Missing
from sark_operator.core.sequential.weight import Weight
from sark_operator.core.verdicts.latency_p95 import baseline_p95_microseconds, followed, judge_latency_p95, slow_seconds

WINDOW = timedelta(minutes=5)
BOUNDS = (0.001, 0.002, 0.004, 0.008, inf)


def arm(*counts: float) -> ArmWindow:
    """An arm with this many requests at or below 1, 2, 4 and 8 ms, and in all."""
    return ArmWindow(counts[-1], 0, Histogram(BOUNDS, counts))


ONE_TO_TWO_MS = arm(0, 1000, 1000, 1000, 1000)
"""A baseline whose p95 is 1.95 ms, so that twice that is 3.9 ms: nineteen twentieths of the bucket from 2 to 4 ms."""


def judged(
    new: ArmWindow | None, baseline: ArmWindow | None = ONE_TO_TWO_MS, share: int = 25, stored: int | None = None
) -> CriterionStatus:
    arms: Mapping[str, ArmWindow] = {
        name: window for name, window in ((ARM_NEW, new), (ARM_BASELINE, baseline)) if window is not None
    }
    return judge_latency_p95(LatencyP95(), WINDOW, share, arms, stored_microseconds=stored)


@pytest.mark.parametrize(
    ("new", "verdict", "slower"),
    [
        (arm(1000, 1000, 1000, 1000, 1000), Verdict.PASS, "0.0%"),
        (arm(0, 960, 960, 1000, 1000), Verdict.PASS, "4.0%"),
        (arm(0, 940, 940, 1000, 1000), Verdict.UNKNOWN, "6.0%"),
        (arm(0, 0, 960, 1000, 1000), Verdict.UNKNOWN, "8.8%"),
        (arm(0, 0, 600, 1000, 1000), Verdict.BREACH, "43.0%"),
    ],
)
def test_more_than_one_request_in_twenty_above_twice_the_baseline_is_no_pass_and_far_more_is_a_breach(
    new: ArmWindow, verdict: Verdict, slower: str
) -> None:
    status = judged(new)

    assert status.verdict is verdict
    assert f"{slower} {'<=' if verdict is Verdict.PASS else '>'} 5.0% of 1,000 requests" in status.message
    assert status.limit == "3.90 ms"


def test_evidence_from_many_windows_is_a_breach() -> None:
    arms = {ARM_NEW: arm(0, 940, 940, 1000, 1000), ARM_BASELINE: ONE_TO_TWO_MS}

    status = judge_latency_p95(LatencyP95(), WINDOW, 25, arms, weight=Weight(500, 400, 30, 9000, 600))

    assert status.verdict is Verdict.BREACH
    assert "evidence 500 to 1 in 30 windows, 400 to 1 needed" in status.message


def test_a_limit_beyond_the_last_bucket_counts_all_of_it_as_slower() -> None:
    slow_baseline = arm(0, 0, 0, 1000, 1000)

    status = judged(arm(0, 0, 0, 600, 1000), slow_baseline)

    assert status.verdict is Verdict.BREACH
    assert "beyond the last bucket" in status.message


def test_a_baseline_in_the_last_bucket_is_taken_at_its_least() -> None:
    status = judged(arm(1000, 1000, 1000, 1000, 1000), arm(0, 0, 0, 0, 1000))

    assert status.verdict is Verdict.PASS
    assert "which is at least 8.00 ms" in status.message


@pytest.mark.parametrize(
    ("new", "baseline", "why"),
    [
        (arm(99, 99, 99, 99, 99), ONE_TO_TWO_MS, "99 requests of the new arm in 5m, 100 needed"),
        (arm(0, 0, 0, 0, 1000), arm(1, 1, 1, 1, 99), "99 requests of the baseline arm in 5m, 100 needed"),
        (None, ONE_TO_TWO_MS, "the new arm has no latencies in 5m, 100 needed"),
        (arm(0, 0, 0, 0, 1000), None, "there is no baseline to compare with"),
        (arm(nan, 0, 0, 0, 1000), ONE_TO_TWO_MS, "not numbers of requests (new arm)"),
        (ArmWindow(9, 0, Histogram((0.1, 0.2), (1, 2))), ONE_TO_TWO_MS, "no +Inf bucket (new arm)"),
        (ArmWindow(9, 0, Histogram((0.2, 0.1, inf), (1, 2, 3))), ONE_TO_TWO_MS, "bounds do not grow (new arm)"),
        (ArmWindow(9, 0, Histogram((0.1, inf), (1, 2, 3))), ONE_TO_TWO_MS, "do not match (new arm)"),
    ],
)
def test_too_little_or_unreadable_is_unknown(new: ArmWindow | None, baseline: ArmWindow | None, why: str) -> None:
    status = judged(new, baseline)

    assert status.verdict is Verdict.UNKNOWN
    assert why in status.message


def test_missing_metrics_are_unknown() -> None:
    status = judge_latency_p95(LatencyP95(), WINDOW, 25, Missing("MetricsUnreachable", "no answer"), stored_microseconds=2000)

    assert status.message == "latencyP95 Unknown: no answer"


def test_the_stored_baseline_stands_in_when_nobody_is_left_in_the_arm() -> None:
    slow = arm(0, 0, 0, 1000, 1000)

    assert judged(slow, None, share=50, stored=1950).verdict is Verdict.BREACH
    assert judged(slow, None, share=50, stored=9000).verdict is Verdict.PASS


def test_at_100_percent_stragglers_of_the_baseline_arm_are_not_compared_with() -> None:
    stragglers = arm(0, 0, 0, 0, 1000)

    status = judged(arm(0, 0, 0, 1000, 1000), stragglers, share=100, stored=1950)

    assert status.verdict is Verdict.BREACH
    assert "the baseline's stored p95 of 1.95 ms" in status.message


def test_a_concurrent_baseline_goes_before_the_stored_one() -> None:
    assert judged(arm(0, 0, 0, 1000, 1000), stored=100_000).verdict is Verdict.BREACH


@pytest.mark.parametrize(
    ("share", "percent", "seconds"),
    [(25, 200, 0.0039), (25, 150, 0.002925), (100, 200, 0.01)],
    ids=["twice", "less", "at 100 %"],
)
def test_windows_count_as_slow_what_is_above_the_same_limit(share: int, percent: int, seconds: float) -> None:
    settings = LatencyP95(limit_percent_of_baseline=percent)

    assert slow_seconds(settings, WINDOW, share, {ARM_BASELINE: ONE_TO_TWO_MS}, 5000) == pytest.approx(seconds)


def test_the_baseline_worth_storing_has_enough_samples() -> None:
    assert baseline_p95_microseconds(LatencyP95(), {ARM_BASELINE: ONE_TO_TWO_MS}) == 1950
    assert baseline_p95_microseconds(LatencyP95(), {ARM_BASELINE: arm(1, 1, 1, 1, 99)}) is None
    assert baseline_p95_microseconds(LatencyP95(), {}) is None
    assert baseline_p95_microseconds(LatencyP95(), Missing("MetricsUnreachable", "no answer")) is None


@pytest.mark.parametrize(
    ("stored", "measured", "windows", "followed_by"),
    [
        (None, None, 1.0, None),
        (None, 5_000, 0.0, 5_000),
        (5_000, None, 1.0, 5_000),
        (5_000, 5_100, 1.0, 5_100),
        (5_000, 9_000, 1.0, 5_500),
        (5_500, 100, 1.0, 5_000),
        (5_000, 9_000, 0.5, 5_244),
        (5_000, 9_000, 0.0, 5_000),
        (5, 9, 0.01, 6),
        (5, 1, 0.01, 4),
        (1, 1, 1.0, 1),
    ],
)
def test_the_stored_p95_follows_by_a_tenth_in_a_window(
    stored: int | None, measured: int | None, windows: float, followed_by: int | None
) -> None:
    assert followed(stored, measured, windows) == followed_by


def test_counts_that_fall_by_extrapolation_are_mended() -> None:
    assert mended(Histogram(BOUNDS, (0, 10, 9.5, 9, 12))).counts == (0, 10, 10, 10, 12)
    assert judged(arm(0, 1000.4, 1000, 1000, 1000.1)).verdict is Verdict.PASS
