"""denyShift: an arm that refuses more, or less, than the other by more than the limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import nan

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Action, DenyShift
from sark_api.status import CriterionStatus, Verdict
from sark_operator.core.observation import ArmWindow, Missing
from sark_operator.core.sequential.weight import UNWEIGHED, Weight
from sark_operator.core.verdicts.deny_shift import judge_deny_shift

PROVEN = Weight(odds=800, needed=700, windows=3, samples=60, hits=50)
DOUBTFUL = Weight(odds=12, needed=700, windows=3)


def judged(new: float, baseline: float, of: float = 1000, *, weight: Weight = UNWEIGHED, **settings: object) -> CriterionStatus:
    """Judge so many refusals of `of` decisions in each arm."""
    arms = {ARM_NEW: ArmWindow(of, refusals=new), ARM_BASELINE: ArmWindow(of, refusals=baseline)}
    return judge_deny_shift(DenyShift.model_validate(settings), timedelta(minutes=5), arms, "q", weight=weight)


@pytest.mark.parametrize(
    ("new", "baseline", "of", "verdict"),
    [
        pytest.param(200, 200, 1000, Verdict.PASS, id="as often as the other"),
        pytest.param(490, 200, 1000, Verdict.PASS, id="a little less than four times the odds of 20%, which is 50%"),
        pytest.param(510, 200, 1000, Verdict.UNKNOWN, id="a little more, which may be chance"),
        pytest.param(60, 200, 1000, Verdict.PASS, id="a little more than a quarter of them, which is 5.9%"),
        pytest.param(50, 200, 1000, Verdict.UNKNOWN, id="a little less than that"),
        pytest.param(1000, 200, 1000, Verdict.BREACH, id="everything is refused"),
        pytest.param(0, 500, 1000, Verdict.BREACH, id="everything is permitted"),
        pytest.param(20, 10, 20, Verdict.UNKNOWN, id="everything, of too few"),
        pytest.param(9, 0, 1000, Verdict.PASS, id="less than one in a hundred is no shift, though the other refuses nothing"),
        pytest.param(0, 9, 1000, Verdict.UNKNOWN, id="nothing where the other refuses some: all may be permitted"),
        pytest.param(0, 0, 1000, Verdict.PASS, id="nobody refuses anything"),
    ],
)
def test_odds_of_a_refusal_are_compared_both_ways(new: float, baseline: float, of: float, verdict: Verdict) -> None:
    assert judged(new, baseline, of).verdict is verdict


@pytest.mark.parametrize(
    ("new", "baseline", "of", "settings", "action"),
    [
        pytest.param(1000, 100, 1000, {}, Action.REVERT, id="everything"),
        pytest.param(940, 100, 1000, {}, Action.REVERT, id="surely nine in ten"),
        pytest.param(920, 100, 1000, {}, Action.HOLD, id="nine in ten, and perhaps by chance"),
        pytest.param(800, 100, 1000, {}, Action.HOLD, id="four in five"),
        pytest.param(1000, 440, 1000, {}, Action.REVERT, id="everything, of which the baseline refuses less than half"),
        pytest.param(1000, 500, 1000, {}, Action.HOLD, id="everything, of which the baseline refuses half"),
        pytest.param(0, 900, 1000, {}, Action.HOLD, id="everything is permitted"),
        pytest.param(100, 0, 100, {}, Action.REVERT, id="as many samples as are needed"),
        pytest.param(50, 0, 50, {"minSamples": 50}, Action.HOLD, id="so few that it may be chance"),
        pytest.param(1000, 100, 1000, {"action": "Warn"}, Action.WARN, id="everything, and it only warns"),
        pytest.param(1000, 100, 1000, {"action": "Revert"}, Action.REVERT, id="everything, and it reverts anyway"),
    ],
)
def test_an_arm_that_refuses_nearly_everything_goes_back_though_the_action_is_hold(
    new: float, baseline: float, of: float, settings: dict[str, object], action: Action
) -> None:
    status = judged(new, baseline, of, **settings)
    assert (status.verdict, status.action) == (Verdict.BREACH, action)
    assert ("though the action is Hold" in status.message) is (action is Action.REVERT and "action" not in settings)


def test_it_says_why_it_goes_back_though_the_action_is_hold() -> None:
    assert judged(1000, 200).message == (
        "denyShift 100.00% refused of 1,000 decisions over 5m, 20.00% by the baseline: 4 times the odds apart with 99.9% "
        "confidence; it goes back though the action is Hold: with the same confidence at least 98.9% are refused, nine in ten "
        "or more, and by the baseline at most 24.5%, half or less"
    )


def test_evidence_alone_holds_and_goes_back_only_with_a_window_that_refuses_nearly_everything() -> None:
    assert judged(200, 200, weight=PROVEN).action == Action.HOLD
    for few, least in ((20, 100), (300, 500)):  # fewer than the samples that are needed
        assert judged(few, 1, of=few, weight=PROVEN, minSamples=least).action == Action.HOLD
    assert judged(1000, 100, weight=replace(PROVEN, seasoned=False)).action == Action.HOLD
    assert judged(1000, 100, weight=PROVEN).action == Action.REVERT


def test_within_a_wide_limit_nothing_goes_back() -> None:
    assert judged(990, 100, limitPercentOfOdds=100_000).verdict is Verdict.PASS


def test_the_limit_is_a_factor_of_the_odds() -> None:
    assert judged(300, 200).verdict is Verdict.PASS
    assert judged(300, 200, limitPercentOfOdds=150).verdict is Verdict.UNKNOWN
    assert judged(600, 200, limitPercentOfOdds=150).verdict is Verdict.BREACH


def test_a_verdict_tells_both_rates_and_what_it_rests_on() -> None:
    assert (
        judged(200, 190).message
        == "denyShift 20.00% refused of 1,000 decisions over 5m, 19.00% by the baseline: within 4 times the odds"
    )
    assert judged(700, 200).message == (
        "denyShift 70.00% refused of 1,000 decisions over 5m, 20.00% by the baseline: "
        "4 times the odds apart with 99.9% confidence"
    )
    assert judged(510, 200, weight=DOUBTFUL).message == (
        "denyShift Unknown: 51.00% refused of 1,000 decisions over 5m, 20.00% by the baseline: "
        "more than 4 times the odds apart, not proven: evidence 12 to 1 in 3 windows, 700 to 1 needed"
    )
    seen = judged(200, 190)
    assert (seen.value, seen.limit, seen.samples, seen.query) == ("20.00% refused", "4 times the odds", 1000, "q")


def test_a_pass_below_the_least_shift_does_not_say_that_the_odds_are_alike() -> None:
    for status in (judged(9, 0), judged(995, 1000)):
        assert status.verdict is Verdict.PASS
        assert status.message.endswith("by the baseline: no shift below 1% of decisions is looked for")
    assert judged(1000, 1000).message.endswith("within 4 times the odds")


def test_evidence_of_many_windows_is_a_breach_whatever_the_last_one_holds() -> None:
    for status in (judged(5, 1, of=20, weight=PROVEN), judged(200, 200, weight=PROVEN)):
        assert status.verdict is Verdict.BREACH
        assert status.message.endswith("evidence 800 to 1 in 3 windows, 700 to 1 needed")


def test_much_evidence_is_no_pass_and_neither_is_a_standstill_of_the_windows() -> None:
    within = judged(200, 200, weight=DOUBTFUL)
    assert (within.verdict, "20.00% by the baseline, but evidence 12 to 1 in" in within.message) == (Verdict.UNKNOWN, True)
    still = judged(200, 200, weight=Weight(quiet="2m"))
    assert (still.verdict, "but no counting window for 2m" in still.message) == (Verdict.UNKNOWN, True)


def test_numbers_of_a_first_window_alone_are_no_breach() -> None:
    assert judged(1000, 200, weight=Weight(seasoned=False)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("new", "baseline", "named"), [(99, 1000, "99 decisions of the new arm"), (1000, 0, "0 decisions of the baseline arm")]
)
def test_each_arm_needs_its_samples(new: float, baseline: float, named: str) -> None:
    arms = {ARM_NEW: ArmWindow(new), ARM_BASELINE: ArmWindow(baseline)}
    status = judge_deny_shift(DenyShift(), timedelta(minutes=5), arms)
    assert status.verdict is Verdict.UNKNOWN
    assert f"{named} in 5m, 100 needed" in status.message


def test_errors_are_no_decisions() -> None:
    arms = {ARM_NEW: ArmWindow(1000, errors=950, refusals=25), ARM_BASELINE: ArmWindow(1000, refusals=500)}
    status = judge_deny_shift(DenyShift(), timedelta(minutes=5), arms)
    assert "50 decisions of the new arm in 5m, 100 needed" in status.message


@pytest.mark.parametrize("arm", [ArmWindow(nan), ArmWindow(1000, errors=-1), ArmWindow(1000, refusals=nan)])
def test_what_is_no_count_is_not_judged(arm: ArmWindow) -> None:
    status = judge_deny_shift(DenyShift(), timedelta(minutes=5), {ARM_NEW: arm, ARM_BASELINE: ArmWindow(1000)})
    assert (status.verdict, "are no counts" in status.message) == (Verdict.UNKNOWN, True)


def test_what_cannot_be_seen_is_unknown_and_its_action_is_to_hold() -> None:
    status = judge_deny_shift(DenyShift(), timedelta(minutes=5), Missing("MetricsTimeout", "no answer"))
    assert (status.verdict, status.action, status.message) == (Verdict.UNKNOWN, Action.HOLD, "denyShift Unknown: no answer")
