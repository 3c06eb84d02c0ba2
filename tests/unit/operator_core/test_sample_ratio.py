"""sampleRatio: the new arm's share of requests beside the share of subjects that was asked for."""

from __future__ import annotations

from datetime import timedelta
from math import inf, nan

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Action, SampleRatio
from sark_api.status import CriterionStatus, Verdict
from sark_operator.core.observation import ArmWindow, Missing
from sark_operator.core.sequential.weight import UNWEIGHED, Weight
from sark_operator.core.verdicts.sample_ratio import judge_nobody, judge_sample_ratio

WINDOW = timedelta(minutes=5)
PROVEN = Weight(odds=800, needed=700, windows=3)


def judged(
    new: float,
    baseline: float,
    percent: int = 50,
    *,
    weight: Weight = UNWEIGHED,
    settled: bool = False,
    **settings: object,
) -> CriterionStatus:
    asked, arms = SampleRatio.model_validate(settings), {ARM_NEW: ArmWindow(new), ARM_BASELINE: ArmWindow(baseline)}
    return judge_sample_ratio(asked, WINDOW, percent, arms, "q", weight=weight, settled=settled)


@pytest.mark.parametrize(
    ("new", "percent", "verdict"),
    [
        pytest.param(500, 50, Verdict.PASS, id="as asked for"),
        pytest.param(210, 50, Verdict.PASS, id="a little more than a quarter of the odds, which is 20%"),
        pytest.param(790, 50, Verdict.PASS, id="a little less than four times the odds, which is 80%"),
        pytest.param(190, 50, Verdict.UNKNOWN, id="less"),
        pytest.param(810, 50, Verdict.UNKNOWN, id="more"),
        pytest.param(500, 5, Verdict.UNKNOWN, id="half where a twentieth is asked for"),
        pytest.param(0, 5, Verdict.UNKNOWN, id="nobody"),
        pytest.param(1000, 90, Verdict.UNKNOWN, id="everybody"),
    ],
)
def test_a_window_outside_of_what_is_allowed_is_no_pass_and_no_breach(new: float, percent: int, verdict: Verdict) -> None:
    status = judged(new, 1000 - new, percent, settled=True)
    assert (status.verdict, status.seen) == (verdict, True)
    assert ("not proven" in status.message) is (verdict is Verdict.UNKNOWN)


def test_a_window_in_which_sidecars_took_over_the_share_says_nothing() -> None:
    for new in (0, 250, 500, 1000):
        assert judged(new, 1000 - new).verdict is Verdict.PASS
    assert judged(500, 500, percent=5).message.endswith(
        "5% of subjects asked for: 1.3% to 17.4% allowed once all of 5m is of this share"
    )


def test_a_window_outside_of_what_is_allowed_says_so() -> None:
    status = judged(500, 500, percent=5, settled=True, weight=Weight(odds=3.2, needed=1400, windows=2))
    assert status.message == (
        "sampleRatio Unknown: 50.0% of requests over 5m (1,000 requests), 5% of subjects asked for: "
        "outside of 1.3% to 17.4% allowed, not proven: evidence 3 to 1 in 2 windows, 1,400 to 1 needed"
    )


def test_a_verdict_tells_the_share_seen_the_one_asked_for_and_what_is_allowed() -> None:
    status = judged(240, 760, percent=25)
    assert status.message == (
        "sampleRatio 24.0% of requests over 5m (1,000 requests), 25% of subjects asked for: 7.7% to 57.1% allowed"
    )
    assert (status.value, status.limit, status.samples, status.query) == ("24.0% of requests", "4 times the odds", 1000, "q")


def test_evidence_of_many_windows_is_a_breach_whatever_the_last_one_holds() -> None:
    for status in (judged(500, 500, weight=PROVEN), judged(2, 3, weight=PROVEN), judged(0, 0, weight=PROVEN)):
        assert status.verdict is Verdict.BREACH
        assert status.message.endswith("evidence 800 to 1 in 3 windows, 700 to 1 needed")


def test_much_evidence_is_no_pass_and_neither_is_a_standstill_of_the_windows() -> None:
    doubtful = judged(900, 100, weight=Weight(odds=12, needed=700, windows=3))
    assert doubtful.verdict is Verdict.UNKNOWN
    assert "outside of 20.0% to 80.0% allowed, not proven" in doubtful.message
    within = judged(500, 500, weight=Weight(odds=12, needed=700, windows=3))
    assert (within.verdict, "50% of subjects asked for, but evidence 12 to 1 in" in within.message) == (Verdict.UNKNOWN, True)
    still = judged(500, 500, weight=Weight(quiet="2m"))
    assert (still.verdict, "but no counting window for 2m" in still.message) == (Verdict.UNKNOWN, True)


def test_both_arms_together_need_their_samples() -> None:
    status = judged(99, 100)
    assert (status.verdict, status.samples) == (Verdict.UNKNOWN, 199)
    assert "199 requests of both arms in 5m, 200 needed" in status.message
    assert judged(99, 101).verdict is Verdict.PASS
    assert judged(10, 10, minSamples=20).verdict is Verdict.PASS


@pytest.mark.parametrize("number", [nan, inf, -1.0])
def test_what_is_no_count_is_not_judged(number: float) -> None:
    for status in (judged(number, 1000), judged(1000, number)):
        assert (status.verdict, "not counts" in status.message) == (Verdict.UNKNOWN, True)


def test_what_cannot_be_seen_is_unknown_and_its_action_is_to_hold() -> None:
    missing = Missing("MetricsTimeout", "no answer")
    for status in (judge_sample_ratio(SampleRatio(), WINDOW, 50, missing), judge_nobody(SampleRatio(), WINDOW, missing)):
        assert (status.verdict, status.action, status.message) == (
            Verdict.UNKNOWN,
            Action.HOLD,
            "sampleRatio Unknown: no answer",
        )


def test_at_zero_percent_a_single_request_of_the_new_arm_holds() -> None:
    none = judge_nobody(SampleRatio(), WINDOW, {ARM_BASELINE: ArmWindow(1000)})
    assert none.verdict is Verdict.PASS
    one = judge_nobody(SampleRatio(), WINDOW, {ARM_NEW: ArmWindow(1), ARM_BASELINE: ArmWindow(1000)})
    assert one.verdict is Verdict.UNKNOWN
    assert "the new arm had 1 request over 5m, though every sidecar says that it serves 0%" in one.message
    assert judge_nobody(SampleRatio(), WINDOW, {ARM_NEW: ArmWindow(nan)}).verdict is Verdict.UNKNOWN
