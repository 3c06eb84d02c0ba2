from __future__ import annotations

from math import comb

import pytest

from sark_operator.core.chance import ACCEPTED, beyond_chance


def tail(least: int, number: int, share: float) -> float:
    """The exact probability of at least `least` of `number`."""
    return sum(comb(number, k) * share**k * (1 - share) ** (number - k) for k in range(least, number + 1))


@pytest.mark.parametrize("limit", [0.001, 0.05, 0.5])
@pytest.mark.parametrize("number", [20, 100, 400])
def test_the_bound_never_promises_more_than_the_exact_binomial_holds(number: int, limit: float) -> None:
    first = next((k for k in range(number + 1) if beyond_chance(k, number, limit)), None)

    assert first is not None
    assert tail(first, number, limit) <= ACCEPTED
    assert all(beyond_chance(k, number, limit) for k in range(first, number + 1))


def test_it_is_not_so_careful_that_it_never_finds_anything() -> None:
    # Given the exact 99.99 % bound for 1,000 requests at 0.1 %, which is 7
    assert tail(7, 1000, 0.001) < ACCEPTED < tail(6, 1000, 0.001)
    # Then one more is enough here
    assert beyond_chance(8, 1000, 0.001)


@pytest.mark.parametrize(("part", "whole"), [(0, 0), (0, 100), (1, 1000), (5, 5000)])
def test_at_or_below_the_limit_there_is_nothing_to_explain(part: float, whole: float) -> None:
    assert not beyond_chance(part, whole, 0.001)
