"""The promises on whole bakes, in small: `make false-reverts` is the same in large."""

from __future__ import annotations

from fractions import Fraction

import pytest

from sark_e2e.false_reverts.arms import BAKE, PER_MINUTE, Arms
from sark_e2e.false_reverts.bakes import delays, false_reverts, highest_odds
from sark_e2e.false_reverts.memory import Memory, fleets
from sark_e2e.false_reverts.promise import OF_ONE, Promise, unkept
from sark_e2e.false_reverts.rules import NEEDED
from sark_e2e.false_reverts.small_limits import FALLBACKS, MISMATCHES, Small
from sark_e2e.false_reverts.small_limits import delays as small_delays
from sark_e2e.false_reverts.small_limits import taken_back as small_taken_back
from sark_e2e.false_reverts.together import NAMES, Fleet, taken_back

ATTEMPTS = 1800


@pytest.fixture(scope="module")
def wild() -> list[float]:
    """The highest evidence in each of attempts of 1 h that fail exactly as often as they may, in bursts."""
    return highest_odds(Arms(40, 0.01, 0.5), ATTEMPTS, seed=3, length=BAKE // 48)


@pytest.mark.parametrize(("odds", "chance"), [(10, Fraction(1, 10)), (35, Fraction(1, 35)), (NEEDED, OF_ONE)])
def test_evidence_is_come_by_no_more_often_than_it_says(wild: list[float], odds: float, chance: Fraction) -> None:
    reached = sum(highest >= odds for highest in wild)

    assert unkept([Promise("at the limit", f"came to {odds} to 1", reached, ATTEMPTS, chance)]) == []


def test_a_twentieth_of_the_evidence_would_break_alpha_and_be_seen(wild: list[float]) -> None:
    # Given a test that is content with what an alpha of 20 times as much would need
    taken_back = sum(highest >= NEEDED / 20 for highest in wild)

    assert unkept([Promise("at the limit", "taken back", taken_back, ATTEMPTS, OF_ONE)]) != []


@pytest.mark.parametrize("arms", [Arms(100, 0.009, 0.02), Arms(300, 0.002, 0.02), Arms(300, 0.002, 0.005, shock_rate=0.2)])
def test_a_healthy_bake_is_not_taken_back_where_a_plain_threshold_would(arms: Arms) -> None:
    taken = false_reverts(arms, runs=4, seed=3, length=BAKE // 2)

    assert taken.plainly >= 0.5
    assert taken.operator == taken.by_evidence == 0


def test_a_test_for_one_look_breaks_its_alpha_where_errors_come_in_bursts() -> None:
    # Given an arm that fails exactly as often as it may
    taken = false_reverts(Arms(1000, 0.01, 0.02), runs=8, seed=3, length=BAKE // 8)

    # Then a test made for one look in a hundred is wrong in half of them, and the operator's in none
    assert taken.by_textbook >= 0.5
    assert taken.operator == 0


@pytest.mark.parametrize("shock", [0.02, 0.2, 1.0])
def test_what_both_arms_suffer_takes_nothing_back(shock: float) -> None:
    arms = Arms(300, 0.002, 0.005, shock_rate=shock, shock_every=2 * 60 * PER_MINUTE)

    assert false_reverts(arms, runs=4, seed=5, length=BAKE // 4).operator == 0


def test_a_healthy_rollout_is_taken_back_by_none_of_the_criteria() -> None:
    assert taken_back(Fleet(1200, 0.02), runs=2, seed=3, length=BAKE // 12) == {**dict.fromkeys(NAMES, 0.0), "any": 0.0}


def test_each_criterion_takes_back_a_rollout_that_is_beyond_its_limit() -> None:
    # Given a new arm that fails, is slow and refuses more than any limit allows
    fleet = Fleet(1200, 0.005, error_rate=0.05, slow_share=0.2, refused_times=12)

    # Then the criteria that judge it say so, and the share that it has is as it should be
    taken = taken_back(fleet, runs=2, seed=3, length=40 * PER_MINUTE)
    assert taken == {"errorRate": 1.0, "latencyP95": 1.0, "denyShift": 1.0, "sampleRatio": 0.0, "any": 1.0}


@pytest.mark.parametrize(
    ("small", "runs", "seed", "length"),
    [
        (Small(FALLBACKS, 1000, 1000, 0.0009, 0.02), 3, 10, BAKE // 8),
        (Small(MISMATCHES, 10, 300, 0.000_005), 2, 5, BAKE // 16),
    ],
    ids=["fallbacks in bursts", "one mismatch in hours"],
)
def test_a_healthy_rollout_is_not_taken_back_by_a_criterion_with_a_small_limit(
    small: Small, runs: int, seed: int, length: int
) -> None:
    # Given bakes below a limit that is so small that a few hits in criteria.window, or one, are many times the limit
    assert small_taken_back(small, runs, seed, length) == 0


@pytest.mark.parametrize(
    ("small", "healthy", "minutes"),
    [(Small(FALLBACKS, 1000, 300, 0.02, 0.005), 0.0002, 8), (Small(MISMATCHES, 100, 300, 0.02), 0.0, 4)],
    ids=["fallbacks", "mismatches"],
)
def test_2_percent_are_below_the_floor_and_proven_in_minutes_by_windows(small: Small, healthy: float, minutes: float) -> None:
    # Given a good hour before a trouble that is many times a small limit
    found = small_delays(small, healthy, 60 * PER_MINUTE, runs=4, seed=3)

    assert all(each is not None and each <= minutes for each in found)


@pytest.mark.parametrize(("rate", "minutes"), [(0.02, 120), (0.05, 20), (0.3, 3), (1.0, 1)])
def test_a_bad_arm_is_taken_back_in_time_after_six_good_hours(rate: float, minutes: float) -> None:
    found = delays(Arms(300, rate, 0.005), Arms(300, 0.002, 0.005), 6 * 60 * PER_MINUTE, runs=6, seed=3)

    assert max(each.operator for each in found) <= minutes


def test_memory_that_comes_and_goes_is_no_leak_though_it_grows_for_an_hour() -> None:
    # Given fleets whose memory swings for half an hour at a time
    found = fleets(Memory(growth=1, lasts=30), pods=5, hours=24, runs=2, seed=1)

    # Then one hour of it looks like a leak, and four do not
    assert [each.operator for each in found] == [None, None]
    assert any(each.by_one_window is not None for each in found)


def test_a_leak_is_found_when_it_has_lasted_and_a_fast_one_at_once() -> None:
    slow, fast = (fleets(Memory(growth=growth), pods=2, hours=8, runs=1, seed=1)[0].operator for growth in (5, 50))

    assert slow is not None
    assert 150 <= slow <= 180
    assert fast == 0
