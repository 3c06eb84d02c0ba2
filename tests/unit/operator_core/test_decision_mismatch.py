from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import nan

import pytest

from sark_api.spec import Criteria, DecisionMismatch, Step, StepShadow
from sark_api.status import CriterionStatus, Phase, Verdict
from sark_e2e.simulated_target import SimulatedTarget, healthy_plane
from sark_operator.core.observation import Comparisons, CountedPlane, CountedWindow, Missing
from sark_operator.core.sequential import wager
from sark_operator.core.sequential.sides import Setting
from sark_operator.core.sequential.weighing import needed, weigh
from sark_operator.core.verdicts.decision_mismatch import is_seen, judge_decision_mismatch

BAKE = timedelta(seconds=15)
DIFFERENT = Comparisons(1201, 3, (("authz/reason", "reason", 2.0), ("authz/allow", "allow", 1.0)))


def judged(shadow: Comparisons | Missing, **settings: object) -> CriterionStatus:
    return judge_decision_mismatch(DecisionMismatch.model_validate(settings), timedelta(minutes=5), shadow, "the query")


@pytest.mark.parametrize(
    ("shadow", "limit", "verdict", "sentence"),
    [
        (Comparisons(1000), 0, Verdict.PASS, "decisionMismatch 0 of 1,000 comparisons over 5m differ"),
        (
            DIFFERENT,
            0,
            Verdict.BREACH,
            (
                "decisionMismatch 3 of 1,204 comparisons over 5m differ: reason at authz/reason (2), allow at authz/allow (1); "
                "at most 0 ppm may"
            ),
        ),
        (
            Comparisons(0, 0.4),
            0,
            Verdict.BREACH,
            "decisionMismatch 1 of 0 comparisons over 5m differ; at most 0 ppm may",
        ),
        (Comparisons(99), 0, Verdict.UNKNOWN, "decisionMismatch Unknown: 99 comparisons in 5m, 100 needed"),
        (Comparisons(), 0, Verdict.UNKNOWN, "decisionMismatch Unknown: 0 comparisons in 5m, 100 needed"),
        (Comparisons(9999, 1), 100, Verdict.PASS, "decisionMismatch 1 of 10,000 comparisons over 5m differ"),
        (
            Comparisons(998, 2),
            1000,
            Verdict.UNKNOWN,
            (
                "decisionMismatch Unknown: 2 of 1,000 comparisons over 5m differ; at most 1,000 ppm may, not proven: "
                "no counting window yet"
            ),
        ),
        (
            Comparisons(999, 1),
            10,
            Verdict.UNKNOWN,
            (
                "decisionMismatch Unknown: 1 of 1,000 comparisons over 5m differ; at most 10 ppm may, not proven: "
                "no counting window yet"
            ),
        ),
        (
            Comparisons(50, 50),
            10,
            Verdict.BREACH,
            (
                "decisionMismatch 50 of 100 comparisons over 5m differ; at most 10 ppm may, "
                "at least 34.4% with 99.9% confidence, far beyond the limit"
            ),
        ),
        (
            Comparisons(900, 100),
            1000,
            Verdict.BREACH,
            (
                "decisionMismatch 100 of 1,000 comparisons over 5m differ; at most 1,000 ppm may, "
                "at least 7.3% with 99.9% confidence, far beyond the limit"
            ),
        ),
        (
            Comparisons(1000, unconfirmed=2),
            0,
            Verdict.UNKNOWN,
            (
                "decisionMismatch Unknown: 0 of 1,000 comparisons over 5m differ, and 2 more may: a sidecar is to look at OPA "
                "once more before it counts them"
            ),
        ),
        (
            Comparisons(9999, 1, unconfirmed=1),
            100,
            Verdict.UNKNOWN,
            (
                "decisionMismatch Unknown: 1 of 10,000 comparisons over 5m differ, and 1 more may: a sidecar is to look at OPA "
                "once more before it counts them"
            ),
        ),
        # Even if they all were mismatches, it would be no more than may
        (
            Comparisons(99_990, 5, unconfirmed=4),
            100,
            Verdict.PASS,
            "decisionMismatch 5 of 99,995 comparisons over 5m differ",
        ),
        # What waits does not stand in the way of what is known
        (
            Comparisons(1000, 1, unconfirmed=2),
            0,
            Verdict.BREACH,
            "decisionMismatch 1 of 1,001 comparisons over 5m differ; at most 0 ppm may",
        ),
        (Comparisons(99, unconfirmed=2), 0, Verdict.UNKNOWN, "decisionMismatch Unknown: 99 comparisons in 5m, 100 needed"),
        (Missing("X", "late"), 0, Verdict.UNKNOWN, "decisionMismatch Unknown: late"),
    ],
)
def test_one_difference_is_enough_unless_some_are_allowed(
    shadow: Comparisons | Missing, limit: int, verdict: Verdict, sentence: str
) -> None:
    status = judged(shadow, limitPartsPerMillion=limit)

    assert (status.verdict, status.message) == (verdict, sentence)


def test_more_than_the_limit_is_proven_from_window_to_window() -> None:
    # Given windows in which a little more differs than may, too little for any one of them to prove it
    criteria = Criteria(decision_mismatch=DecisionMismatch(limit_parts_per_million=10_000))
    noon, length = datetime(2026, 1, 1, 12, tzinfo=UTC), timedelta(seconds=15)
    compared = Comparisons(970, 30)
    plane = CountedPlane(compared=compared)
    windows = [CountedWindow(noon + n * length, noon + (n + 1) * length, {}, plane) for n in range(40)]
    setting = Setting(criteria, 50, {}, slow_seconds=None)

    def verdict(number: int, shadow: Comparisons = compared) -> Verdict:
        weight = weigh([], setting, windows[:number], None).weights["decisionMismatch"]
        return judge_decision_mismatch(criteria.decision_mismatch, timedelta(minutes=5), shadow, weight=weight).verdict

    # Then few of them only hold, and more are a breach, whatever else waits
    assert [verdict(number) for number in (1, 40)] == [Verdict.UNKNOWN, Verdict.BREACH]
    assert verdict(40, Comparisons(1000, unconfirmed=20)) is Verdict.BREACH


def test_just_at_the_limit_it_is_seldom_taken_for_more() -> None:
    # Given 100 attempts of 48 h in which exactly as much differs as may: 1 % of 50 comparisons a window, by chance
    chance, limit = random.Random(7), 0.01
    criteria = Criteria(decision_mismatch=DecisionMismatch(limit_parts_per_million=10_000))
    enough, wrong = needed(criteria, 1), 0
    draws = [sum(chance.random() < limit for _ in range(50)) / 50 for _ in range(5_000)]
    for _ in range(40):
        pools = wager.opening()
        for _ in range(48 * 60 * 4 // 8):
            pools = wager.played(pools, chance.choice(draws), limit, most=2 * enough)
            if wager.evidence(pools) >= enough:
                wrong += 1
                break

    assert wrong <= 1


@pytest.mark.parametrize(
    "shadow", [Comparisons(nan), Comparisons(1000, nan), Comparisons(-1), Comparisons(1000, unconfirmed=nan)]
)
def test_what_is_no_count_is_unknown(shadow: Comparisons) -> None:
    assert judged(shadow).verdict is Verdict.UNKNOWN


@pytest.fixture
def shadowed(target: SimulatedTarget) -> SimulatedTarget:
    """A rollout whose first step compares a tenth of the requests; it is at 5 %."""
    first = Step(percent=5, bake=BAKE, shadow=StepShadow(sample_percent=10))
    target.ask(steps=[first, Step(percent=50, bake=BAKE), Step(percent=100, bake=BAKE)])
    target.run_to(5)
    return target


def sampled(target: SimulatedTarget) -> tuple[int, bool, int]:
    assert target.document is not None
    return target.percent, target.document.shadow.enabled, target.document.shadow.sample_percentage


def test_the_flag_document_carries_the_sample_of_the_step(shadowed: SimulatedTarget) -> None:
    assert sampled(shadowed) == (5, True, 10)
    shadowed.run(300)
    assert sampled(shadowed)[0] == 100

    assert [(write.document.percentage, write.document.shadow.sample_percentage) for write in shadowed.written] == [
        (5, 10),
        (50, 0),
        (100, 0),
    ]


def test_a_difference_reverts_and_ends_the_shadow(shadowed: SimulatedTarget) -> None:
    shadowed.plane = replace(healthy_plane(), shadow=DIFFERENT)
    shadowed.run(3)

    assert (shadowed.status.phase, sampled(shadowed)) == (Phase.REVERTED, (0, False, 0))
    assert shadowed.status.revert is not None
    assert shadowed.status.revert.criterion == "decisionMismatch"


def test_few_comparisons_hold_and_are_no_blindness(shadowed: SimulatedTarget) -> None:
    shadowed.plane = replace(healthy_plane(), shadow=Comparisons(12))
    shadowed.run(120)

    assert (shadowed.percent, shadowed.status.reason, shadowed.status.blind_since) == (5, "CriterionUnknown", None)


def test_without_a_shadow_nothing_is_compared(shadowed: SimulatedTarget) -> None:
    shadowed.run_to(50)
    shadowed.plane = replace(healthy_plane(), shadow=DIFFERENT)
    shadowed.run_to(100)

    assert "decisionMismatch" not in {criterion.name for criterion in shadowed.status.criteria}


def test_an_edited_sample_is_confirmed_anew_and_written_once(shadowed: SimulatedTarget) -> None:
    shadowed.run(3)
    before = len(shadowed.written)
    steps = [Step(percent=5, bake=BAKE, shadow=StepShadow(sample_percent=50)), Step(percent=100, bake=BAKE)]
    shadowed.ask(steps=steps)
    shadowed.run(4)

    assert sampled(shadowed) == (5, True, 50)
    assert len(shadowed.written) == before + 1
    flags = shadowed.status.flags
    assert flags is not None
    assert flags.share_revision == flags.revision


def test_at_rest_nothing_is_compared_any_more(target: SimulatedTarget) -> None:
    # Given a rollout whose last step has a shadow
    target.ask(steps=[Step(percent=5, bake=BAKE), Step(percent=100, bake=BAKE, shadow=StepShadow(sample_percent=10))])
    target.run_to(100)
    while target.status.completed_at is None:
        target.tick(1)
    assert sampled(target) == (100, True, 10)
    # When its watch is over
    target.run(40)
    # Then the share stays and the shadow ends
    assert sampled(target) == (100, False, 0)
    written = len(target.written)
    target.run(40)
    assert len(target.written) == written


@pytest.mark.parametrize(
    ("shadow", "seen"),
    [(Comparisons(), True), (Comparisons(9, 1), True), (Comparisons(nan, 0), False), (Comparisons(9, -1), False)],
)
def test_comparisons_that_are_no_counts_are_not_seen(shadow: Comparisons, seen: bool) -> None:
    assert is_seen(shadow) is seen
