from __future__ import annotations

from datetime import timedelta
from math import inf, nan

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import ErrorRate
from sark_api.status import CriterionStatus, Verdict
from sark_operator.core.observation import ArmWindow, Missing
from sark_operator.core.verdicts.error_rate import judge_error_rate

WINDOW = timedelta(minutes=5)


def judged(requests: float, errors: float, **settings: object) -> CriterionStatus:
    return judge_error_rate(ErrorRate.model_validate(settings), WINDOW, {ARM_NEW: ArmWindow(requests, errors)}, "the query")


@pytest.mark.parametrize(
    ("requests", "errors", "verdict", "sentence"),
    [
        (1204, 144.48, Verdict.BREACH, "errorRate 12.0% > 1.0% over 5m (1,204 requests)"),
        (10_000, 100, Verdict.PASS, "errorRate 1.0% <= 1.0% over 5m (10,000 requests)"),
        (10_000, 101, Verdict.BREACH, "errorRate 1.01% > 1.00% over 5m (10,000 requests)"),
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
    status = judged(5000, 50, limitBasisPoints=25, minSamples=1000, action="Hold")

    assert (status.value, status.limit, status.samples, status.min_samples) == ("1.0%", "0.2%", 5000, 1000)
    assert (status.action, status.query, status.verdict) == ("Hold", "the query", Verdict.BREACH)
