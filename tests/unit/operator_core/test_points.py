"""Series in little room are the same as pairs in a tuple."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sark_operator.core.points import Points
from sark_operator.core.theil_sen import theil_sen

PAIRS = st.lists(st.tuples(st.floats(0, 1e10), st.floats(0, 1e12)), max_size=70).map(tuple)


def points(pairs: tuple[tuple[float, float], ...]) -> Points:
    return Points(tuple(at for at, _ in pairs), [value for _, value in pairs])


@given(PAIRS, st.slices(70))
def test_it_is_read_as_a_tuple_of_pairs(pairs: tuple[tuple[float, float], ...], part: slice):
    kept = points(pairs)
    assert tuple(kept) == pairs
    assert kept == pairs
    assert kept[part] == pairs[part]
    assert [kept[index] for index in range(-len(pairs), len(pairs))] == [*pairs, *pairs]
    assert theil_sen(kept) == theil_sen(pairs)


def test_it_is_not_equal_to_others():
    kept = points(((1.0, 2.0), (3.0, 4.0)))
    assert kept != ((1.0, 2.0),)
    assert kept != ((1.0, 2.0), (3.0, 5.0))
    assert kept != 7


def test_a_time_without_a_value_is_refused():
    with pytest.raises(ValueError, match="2 times and 1 values"):
        Points((1.0, 2.0), [3.0])
