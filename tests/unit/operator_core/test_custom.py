from __future__ import annotations

from math import inf, nan

import pytest

from sark_api.spec import CustomCriterion
from sark_api.status import Verdict
from sark_operator.core.observation import Missing
from sark_operator.core.verdicts.custom import judge_custom

SETTINGS = CustomCriterion(name="queueDepth", query="max(queue_depth)", max="7.5")


@pytest.mark.parametrize(
    ("value", "verdict", "sentence"),
    [
        (7.5, Verdict.PASS, "queueDepth 7.5 <= 7.5"),
        (7.6, Verdict.BREACH, "queueDepth 7.6 > 7.5"),
        (7.5000000001, Verdict.BREACH, "queueDepth 7.5000000001 > 7.5"),
        (-3.0, Verdict.PASS, "queueDepth -3 <= 7.5"),
        (nan, Verdict.UNKNOWN, "queueDepth Unknown: its query gave nan, which is not a number to compare"),
        (inf, Verdict.UNKNOWN, "queueDepth Unknown: its query gave inf, which is not a number to compare"),
        (None, Verdict.UNKNOWN, "queueDepth Unknown: its query has not been answered"),
        (Missing("MetricsQueryRefused", "parse error at char 3"), Verdict.UNKNOWN, "queueDepth Unknown: parse error at char 3"),
    ],
)
def test_one_number_is_compared_with_its_limit(value: float | Missing | None, verdict: Verdict, sentence: str) -> None:
    status = judge_custom(SETTINGS, value)

    assert (status.verdict, status.message) == (verdict, sentence)
    assert status.query == "max(queue_depth)"


def test_a_long_query_is_cut_to_what_the_status_can_hold() -> None:
    settings = SETTINGS.model_copy(update={"query": "x" * 4096})

    assert len(judge_custom(settings, 1.0).query) == 2048
