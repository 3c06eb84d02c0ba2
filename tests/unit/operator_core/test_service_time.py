from __future__ import annotations

from datetime import timedelta
from math import inf

import pytest

from sark_api.names import ARM_NEW
from sark_api.spec import CacheP95, Features, OpaP95, Toggle
from sark_api.status import CriterionStatus, Verdict
from sark_e2e.simulated_target import SimulatedTarget, arm, times
from sark_operator.core.observation import ArmWindow, DataPlane, Histogram, Missing
from sark_operator.core.sequential.weight import Weight
from sark_operator.core.verdicts.service_time import judge_service_time

WINDOW = timedelta(minutes=5)
BOUNDS = (0.005, 0.0075, 0.01, inf)


def judged(*counts: float, requests: float = 1000, **settings: object) -> CriterionStatus:
    """Judge evaluations given by how many took at most 5 ms, 7.5 ms, 10 ms, and however long."""
    histogram = Histogram(BOUNDS, counts) if counts else Histogram((), ())
    arms = {ARM_NEW: ArmWindow(requests)}
    return judge_service_time("opaP95", OpaP95.model_validate(settings), WINDOW, arms=arms, times=histogram, query="q")


@pytest.mark.parametrize(
    ("counts", "verdict", "sentence"),
    [
        ((1000, 1000, 1000, 1000), Verdict.PASS, "opaP95 0.0% <= 5.0% of 1,000 evaluations over 5m took longer than 7.50 ms"),
        (
            (900, 950, 1000, 1000),
            Verdict.PASS,
            (
                "opaP95 5.0% <= 5.0% of 1,000 evaluations over 5m took longer than 7.50 ms; "
                "warning: 10.0% took longer than 5.00 ms"
            ),
        ),
        (
            (100, 500, 900, 1000),
            Verdict.BREACH,
            (
                "opaP95 50.0% > 5.0% of 1,000 evaluations over 5m took longer than 7.50 ms, "
                "at least 44.8% with 99.9% confidence, far beyond the limit"
            ),
        ),
        (
            (90, 90, 100, 100),
            Verdict.UNKNOWN,
            (
                "opaP95 Unknown: 10.0% > 5.0% of 100 evaluations over 5m took longer than 7.50 ms, "
                "not proven: no counting window yet"
            ),
        ),
        (
            (0, 0, 0, 20),
            Verdict.BREACH,
            (
                "opaP95 100.0% > 5.0% of 20 evaluations over 5m took longer than 7.50 ms, "
                "at least 64.9% with 99.9% confidence, far beyond the limit"
            ),
        ),
    ],
)
def test_one_window_is_a_breach_only_far_beyond_a_twentieth(counts: tuple[float, ...], verdict: Verdict, sentence: str) -> None:
    status = judged(*counts)

    assert (status.verdict, status.message) == (verdict, sentence)


@pytest.mark.parametrize(
    ("evaluations", "requests", "verdict", "sentence"),
    [
        (12, 1000, Verdict.PASS, "opaP95 12 evaluations in 5m for 1,000 requests: too few to be seen in the requests' p95"),
        (12, 100, Verdict.UNKNOWN, "opaP95 Unknown: 12 evaluations in 5m, 20 needed"),
        (0, 0, Verdict.UNKNOWN, "opaP95 Unknown: 0 evaluations in 5m, 20 needed"),
        (0, float("nan"), Verdict.UNKNOWN, "opaP95 Unknown: 0 evaluations in 5m, 20 needed"),
    ],
)
def test_a_cache_that_answers_nearly_all_leaves_nothing_to_judge(
    evaluations: float, requests: float, verdict: Verdict, sentence: str
) -> None:
    counts = (evaluations,) * 4 if evaluations else ()
    status = judged(*counts, requests=requests)

    assert (status.verdict, status.message) == (verdict, sentence)


@pytest.mark.parametrize("requests", [100, 1000])
def test_what_the_windows_have_proven_stays_a_breach_when_evaluations_get_few(requests: float) -> None:
    few, arms = Histogram(BOUNDS, (12, 12, 12, 12)), {ARM_NEW: ArmWindow(requests)}

    status = judge_service_time("opaP95", OpaP95(), WINDOW, arms=arms, times=few, weight=Weight(800, 700, 30, 9000, 900))

    assert status.verdict is Verdict.BREACH
    assert "evidence 800 to 1 in 30 windows, 700 to 1 needed" in status.message


@pytest.mark.parametrize("bad", [Histogram((inf,), (float("nan"),)), Histogram((1.0, 2.0), (1.0, 2.0)), Missing("X", "late")])
def test_what_cannot_be_read_is_unknown(bad: Histogram | Missing) -> None:
    status = judge_service_time("cacheP95", CacheP95(), WINDOW, arms={ARM_NEW: ArmWindow(1000)}, times=bad)

    assert status.verdict is Verdict.UNKNOWN


def test_a_slow_engine_reverts(baking: SimulatedTarget) -> None:
    baking.plane = DataPlane(0, times(1000, 0.009), times(), {})

    decision = baking.tick(1)

    assert decision.status.revert is not None
    assert decision.status.revert.criterion == "opaP95"


def test_a_slow_cache_reverts(baking: SimulatedTarget) -> None:
    baking.plane = DataPlane(0, times(), times(1000, 0.001), {})

    decision = baking.tick(1)

    assert decision.status.revert is not None
    assert decision.status.revert.criterion == "cacheP95"


def test_evidence_is_enough_where_one_window_is_not(baking: SimulatedTarget) -> None:
    # Given evaluations of which a tenth is slow, for half a minute
    slow = Histogram(times().bounds, tuple(1000.0 if bound > 0.01 else 900.0 for bound in times().bounds))
    baking.plane = DataPlane(0, slow, times(), {})
    baking.tick(1)
    assert (baking.percent, baking.status.reason) == (25, "CriterionUnknown")
    baking.run(40)

    assert baking.status.revert is not None
    assert baking.status.revert.criterion == "opaP95"
    assert "evaluations" in baking.status.revert.message


def test_what_is_switched_off_is_not_judged(baking: SimulatedTarget) -> None:
    baking.ask(features=Features(opa=Toggle.DISABLED, cache=Toggle.DISABLED))
    baking.plane = DataPlane(0, times(1000, 1.0), times(1000, 1.0), {})

    baking.tick(1)

    assert baking.percent == 25
    assert not {"opaP95", "cacheP95"} & {criterion.name for criterion in baking.status.criteria}


def test_few_evaluations_hold_and_are_no_blindness(baking: SimulatedTarget) -> None:
    baking.plane = DataPlane(0, times(12), times(), {})
    baking.arms = {ARM_NEW: arm(110), "python": arm()}
    baking.run(120)

    assert (baking.percent, baking.status.reason, baking.status.blind_since) == (25, "CriterionUnknown", None)
