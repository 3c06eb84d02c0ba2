from __future__ import annotations

from datetime import timedelta
from math import inf, nan

import pytest

from sark_api.names import ARM_NEW
from sark_api.spec import FallbackRate
from sark_api.status import CriterionStatus, Phase, Verdict
from sark_e2e.simulated_target import SimulatedTarget, arm, healthy_plane
from sark_operator.core.observation import ArmWindow, Missing
from sark_operator.core.sequential.weight import Weight
from sark_operator.core.verdicts.fallback_rate import judge_fallback_rate

WINDOW = timedelta(minutes=5)


def judged(requests: float, fallbacks: float | Missing | None, **settings: object) -> CriterionStatus:
    return judge_fallback_rate(
        FallbackRate.model_validate(settings), WINDOW, {ARM_NEW: ArmWindow(requests)}, fallbacks, "the query"
    )


@pytest.mark.parametrize(
    ("requests", "fallbacks", "verdict", "sentence"),
    [
        (100, 0, Verdict.PASS, "fallbackRate 0.0% <= 0.1% over 5m (100 requests)"),
        (10_000, 10, Verdict.PASS, "fallbackRate 0.1% <= 0.1% over 5m (10,000 requests)"),
        (
            100,
            1,
            Verdict.UNKNOWN,
            "fallbackRate Unknown: 1.0% > 0.1% over 5m (100 requests), not proven: no counting window yet",
        ),
        (
            100,
            3,
            Verdict.UNKNOWN,
            "fallbackRate Unknown: 3.0% > 0.1% over 5m (100 requests), not proven: no counting window yet",
        ),
        (
            100,
            50,
            Verdict.BREACH,
            "fallbackRate 50.0% > 0.1% over 5m (100 requests), at least 34.4% with 99.9% confidence, far beyond the limit",
        ),
        (
            1_000_000,
            1200,
            Verdict.UNKNOWN,
            "fallbackRate Unknown: 0.12% > 0.10% over 5m (1,000,000 requests), not proven: no counting window yet",
        ),
        (99.5, 99.5, Verdict.UNKNOWN, "fallbackRate Unknown: 99 requests in 5m, 100 needed"),
        (0, None, Verdict.UNKNOWN, "fallbackRate Unknown: 0 requests in 5m, 100 needed"),
        (
            100,
            None,
            Verdict.UNKNOWN,
            "fallbackRate Unknown: Prometheus has no series implementation_fallback_total of the rollout",
        ),
        (
            500,
            600,
            Verdict.BREACH,
            "fallbackRate 100.0% > 0.1% over 5m (500 requests), at least 97.9% with 99.9% confidence, far beyond the limit",
        ),
        (500, Missing("MetricsTimeout", "late"), Verdict.UNKNOWN, "fallbackRate Unknown: late"),
    ],
)
def test_one_window_is_a_breach_only_far_beyond_the_limit(
    requests: float, fallbacks: float | Missing | None, verdict: Verdict, sentence: str
) -> None:
    status = judged(requests, fallbacks)

    assert (status.verdict, status.message) == (verdict, sentence)


@pytest.mark.parametrize(("requests", "fallbacks"), [(nan, 0), (1000, nan), (inf, 0), (1000, inf), (-5, 0), (1000, -1)])
def test_what_is_no_count_is_unknown(requests: float, fallbacks: float) -> None:
    assert judged(requests, fallbacks).verdict is Verdict.UNKNOWN


def test_what_the_windows_have_proven_stays_a_breach_when_requests_get_few() -> None:
    arms = {ARM_NEW: ArmWindow(20)}

    status = judge_fallback_rate(FallbackRate(), WINDOW, arms, 0, weight=Weight(800, 700, 30, 9000, 60))

    assert status.verdict is Verdict.BREACH
    assert "evidence 800 to 1 in 30 windows, 700 to 1 needed" in status.message


def test_a_limit_of_everything_is_never_breached() -> None:
    assert judged(1000, 1000, limitBasisPoints=10_000).verdict is Verdict.PASS


def test_a_half_that_falls_back_reverts_at_once(baking: SimulatedTarget) -> None:
    baking.plane = healthy_plane(fallbacks=500)

    decision = baking.tick(1)

    assert decision.status.revert is not None
    sentence = "Reverted from 25%: fallbackRate 50.0% > 0.1% over 10s (1,000 requests), "
    assert decision.status.revert.message.startswith(sentence)


def test_a_share_above_the_limit_is_proven_from_window_to_window(baking: SimulatedTarget) -> None:
    baking.plane = healthy_plane(fallbacks=3)
    baking.run(60)

    assert baking.status.revert is not None
    assert baking.status.revert.criterion == "fallbackRate"
    assert "700 to 1 needed" in baking.status.revert.message


def test_what_is_not_proven_holds_and_is_no_blindness(baking: SimulatedTarget) -> None:
    # Given a share above the limit by one request or two, in a few windows
    baking.plane = healthy_plane(fallbacks=2)
    baking.run(5)
    # Then the step is held, and nothing is taken back
    assert (baking.percent, baking.status.reason, baking.status.blind_since) == (25, "CriterionUnknown", None)
    # And it goes on when the window has forgotten
    baking.plane = healthy_plane()
    baking.run_to(50)


def test_without_the_series_the_fleet_goes_back_after_blind_for(baking: SimulatedTarget) -> None:
    baking.plane = healthy_plane()
    baking.arms = {ARM_NEW: arm()}
    baking.plane = type(baking.plane)(None, baking.plane.evaluations, baking.plane.lookups, baking.plane.cpu)
    baking.run(62)

    assert baking.status.revert is not None
    assert (baking.status.phase, baking.status.revert.criterion) == (Phase.REVERTED, "fallbackRate")
    # And a new attempt is not held to how long nothing was seen of this one
    assert baking.status.blind_since is None
