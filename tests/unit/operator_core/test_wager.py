"""The test that is looked at after every window: what it promises, and that it finds trouble."""

from __future__ import annotations

from itertools import islice
from math import isclose
from random import Random

import pytest

from sark_e2e.false_reverts.arms import Arms
from sark_operator.core.sequential import wager

LIMIT = 0.01


def played(fractions: list[float], pools: wager.Pools | None = None, most: float = 800.0) -> list[float]:
    pools, seen = pools or wager.opening(), []
    for fraction in fractions:
        pools = wager.played(pools, fraction, LIMIT, most=most)
        seen.append(wager.evidence(pools))
    return seen


def test_before_the_first_window_there_is_no_evidence() -> None:
    assert isclose(wager.evidence(wager.opening()), 1, abs_tol=1e-4)


def test_windows_at_the_limit_change_nothing() -> None:
    assert isclose(played([LIMIT] * 1000)[-1], 1, abs_tol=0.02)


def test_no_window_ruins_it_and_a_healthy_past_does_not_hide_new_trouble() -> None:
    # Given a week without an error, when one request in ten fails
    seen = played([0.0] * 40_320 + [0.1] * 12)

    # Then it takes minutes to prove
    assert min(seen) > 0.1
    assert seen[-1] >= 400


def test_errors_in_bursts_at_the_very_limit_reach_evidence_of_20_no_more_than_once_in_20() -> None:
    # Given arms whose errors come in bursts and are exactly as frequent as allowed
    reached, runs = 0, 300
    for run in range(runs):
        windows = islice(Arms(100, LIMIT, rho=0.02).windows(Random(run)), 1500)

        # When the test is looked at after each window
        reached += max(played([window.errors / window.requests for window in windows])) >= 20

    # Then it keeps its promise; 23 of 300 would happen to a test that just keeps it once in fifty times
    assert reached <= 23


def test_what_is_won_beyond_the_need_is_cut_and_can_be_lost_again() -> None:
    seen = played([1.0] * 50 + [0.0] * 600)

    assert max(seen) <= 800
    assert seen[-1] < 10


def test_a_step_puts_idle_capital_back_into_bets() -> None:
    tired = wager.opening()
    for _ in range(3000):
        tired = wager.played(tired, 0.0, LIMIT, most=800)

    trouble = [0.05] * 40
    late, fresh = played(trouble, tired), played(trouble, wager.stirred(tired))

    assert next(i for i, odds in enumerate(fresh) if odds >= 400) < next(i for i, odds in enumerate(late) if odds >= 400)


@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_it_is_deterministic_and_kept_in_whole_numbers(fraction: float) -> None:
    once = wager.played(wager.opening(), fraction, LIMIT, most=800)

    assert once == wager.played(wager.opening(), fraction, LIMIT, most=800)
    assert all(isinstance(pool, int) for pool in once)
