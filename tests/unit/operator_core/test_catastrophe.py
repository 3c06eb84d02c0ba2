"""The floor: how bad one window must be so that nobody waits for more of them."""

from __future__ import annotations

import pytest

from sark_operator.core.sequential.catastrophe import floor_of, proven_beyond


@pytest.mark.parametrize(
    ("limit", "floor"),
    [
        pytest.param(0.00001, 0.05, id="a small limit: 5 %"),
        pytest.param(0.001, 0.05, id="0.1 %: 5 %"),
        pytest.param(0.01, 0.05, id="1 %: five times"),
        pytest.param(0.05, 0.25, id="5 %: five times"),
        pytest.param(0.2, 0.5, id="a large limit: half of all"),
        pytest.param(0.6, 0.6, id="never below the limit"),
    ],
)
def test_the_floor_is_far_from_the_limit_and_far_from_nothing(limit: float, floor: float) -> None:
    assert floor_of(limit) == pytest.approx(floor)


@pytest.mark.parametrize(
    ("hits", "total", "limit", "beyond"),
    [
        pytest.param(3, 100, 0.001, False, id="3 in 100 at 0.1 %"),
        pytest.param(1, 1000, 0.00001, False, id="1 in 1,000 at 10 ppm"),
        pytest.param(14, 100, 0.00001, True, id="14 in 100"),
        pytest.param(50, 100, 0.001, True, id="half of 100"),
        pytest.param(50, 100, 0.01, True, id="half of 100 at 1 %"),
    ],
)
def test_a_few_hits_are_no_catastrophe_however_small_the_limit_is(
    hits: float, total: float, limit: float, beyond: bool
) -> None:
    assert (proven_beyond(hits, total, floor_of(limit)) is not None) is beyond
