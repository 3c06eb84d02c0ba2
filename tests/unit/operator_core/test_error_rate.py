from __future__ import annotations

from datetime import timedelta
from math import inf, nan

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import ErrorRate
from sark_api.status import CriterionStatus, Verdict
from sark_operator.core.observation import ArmWindow, Missing
from sark_operator.core.sequential.weight import Weight
from sark_operator.core.verdicts.error_rate import judge_error_rate

WINDOW = timedelta(minutes=5)


def judged(requests: float, errors: float, **settings: object) -> CriterionStatus:
    return judge_error_rate(ErrorRate.model_validate(settings), WINDOW, {ARM_NEW: ArmWindow(requests, errors)}, "the query")


@pytest.mark.parametrize(
    ("requests", "errors", "verdict", "sentence"),
    [
        (
            1204,
            144.48,
            Verdict.BREACH,
            "errorRate 12.0% > 1.0% over 5m (1,204 requests), at least 9.3% with 99.9% confidence, far beyond the limit",
        ),
        (10_000, 100, Verdict.PASS, "errorRate 1.0% <= 1.0% over 5m (10,000 requests)"),
        (
            10_000,
            101,
            Verdict.UNKNOWN,
            "errorRate Unknown: 1.01% > 1.00% over 5m (10,000 requests), not proven: no counting window yet",
        ),
        (
            100,
            12,
            Verdict.UNKNOWN,
            "errorRate Unknown: 12.0% > 1.0% over 5m (100 requests), not proven: no counting window yet",
        ),
        (100, 0, Verdict.PASS, "errorRate 0.0% <= 1.0% over 5m (100 requests)"),
        (37, 37, Verdict.UNKNOWN, "errorRate Unknown: 37 requests in 5m, 100 needed"),
        (99.7, 99.7, Verdict.UNKNOWN, "errorRate Unknown: 99 requests in 5m, 100 needed"),
        (1, 1, Verdict.UNKNOWN, "errorRate Unknown: 1 request in 5m, 100 needed"),
        (0, 0, Verdict.UNKNOWN, "errorRate Unknown: 0 requests in 5m, 100 needed"),
    ],
)
def test_the_verdict_rests_on_enough_requests(requests: float, errors: float, verdict: Verdict, sentence: str) -> None:
    status = judged(requests, errors)

    assert (status.verdict, status.message) == (verdict, sentence)


@pytest.mark.parametrize(
    ("requests", "errors"), [(nan, 0), (1000, nan), (inf, 0), (1000, inf), (-5, 0), (1000, -1), (1e300, 0)]
)
def test_what_is_no_count_is_unknown(requests: float, errors: float) -> None:
    status = judged(requests, errors)

    assert status.verdict is Verdict.UNKNOWN
    assert "not counts" in status.message


def test_an_arm_without_series_served_nothing() -> None:
    status = judge_error_rate(ErrorRate(), WINDOW, {ARM_BASELINE: ArmWindow(1000, 1000)})

    assert status.message == "errorRate Unknown: 0 requests in 5m, 100 needed"


def test_missing_metrics_are_unknown_with_their_own_sentence() -> None:
    status = judge_error_rate(ErrorRate(), WINDOW, Missing("MetricsUnreachable", "http://p:9090 did not answer in 5s"))

    assert status.verdict is Verdict.UNKNOWN
    assert status.message == "errorRate Unknown: http://p:9090 did not answer in 5s"


def test_more_errors_than_requests_is_all_of_them() -> None:
    assert judged(200, 200.4).value == "100.0%"


def test_the_evidence_is_kept() -> None:
    status = judged(5000, 500, limitBasisPoints=25, minSamples=1000, action="Hold")

    assert (status.value, status.limit, status.samples, status.min_samples) == ("10.0%", "0.2%", 5000, 1000)
    assert (status.action, status.query, status.verdict) == ("Hold", "the query", Verdict.BREACH)
    assert status.bound == "8.7%"


PROVEN = Weight(odds=480.4, needed=400, windows=82, samples=12_340, hits=259)


def test_evidence_from_many_windows_is_a_breach_and_says_how_much_there_is() -> None:
    arms = {ARM_NEW: ArmWindow(3000, 60)}

    status = judge_error_rate(ErrorRate(), WINDOW, arms, weight=PROVEN)

    assert status.verdict is Verdict.BREACH
    assert status.message == (
        "errorRate 2.0% > 1.0% over 5m (3,000 requests), evidence 480 to 1 in 82 windows, 400 to 1 needed "
        "(2.1% of 12,340 requests)"
    )
    assert (status.evidence, status.evidence_needed, status.windows) == ("480 to 1", "400 to 1", 82)


def test_what_a_first_window_alone_shows_is_no_breach() -> None:
    arms = {ARM_NEW: ArmWindow(1000, 900)}

    assert judge_error_rate(ErrorRate(), WINDOW, arms, weight=Weight(seasoned=False)).verdict is Verdict.UNKNOWN
    assert judge_error_rate(ErrorRate(), WINDOW, arms).verdict is Verdict.BREACH


def test_evidence_needs_no_full_window() -> None:
    assert judge_error_rate(ErrorRate(), WINDOW, {ARM_NEW: ArmWindow(20, 1)}, weight=PROVEN).verdict is Verdict.BREACH


def test_considerable_evidence_is_no_pass_even_below_the_limit() -> None:
    arms = {ARM_NEW: ArmWindow(3000, 6)}

    doubtful = judge_error_rate(ErrorRate(), WINDOW, arms, weight=Weight(10, 400, 50))
    calm = judge_error_rate(ErrorRate(), WINDOW, arms, weight=Weight(9.9, 400, 50))

    assert (doubtful.verdict, doubtful.seen) == (Verdict.UNKNOWN, True)
    assert calm.verdict is Verdict.PASS


def test_what_the_baseline_suffers_too_holds_and_does_not_take_back() -> None:
    arms = {ARM_NEW: ArmWindow(1000, 900), ARM_BASELINE: ArmWindow(3000, 2700)}

    both = judge_error_rate(ErrorRate(), WINDOW, arms)
    alone = judge_error_rate(ErrorRate(), WINDOW, arms, beside_baseline=False)

    assert (both.verdict, both.seen) == (Verdict.UNKNOWN, True)
    assert "the baseline has 90.0% in the same time" in both.message
    assert alone.verdict is Verdict.BREACH


def test_a_new_arm_far_worse_than_a_suffering_baseline_is_taken_back() -> None:
    arms = {ARM_NEW: ArmWindow(1000, 900), ARM_BASELINE: ArmWindow(3000, 300)}

    assert judge_error_rate(ErrorRate(), WINDOW, arms).verdict is Verdict.BREACH
