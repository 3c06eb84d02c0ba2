"""Which counting windows are asked for, and what becomes of the answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_operator.core.observation import ArmWindow, Comparisons, CountedPlane, Histogram
from sark_operator.shell.answers import LatencyByArm, Requests, RequestsByArm, by_time
from sark_operator.shell.counting import MOST_WINDOWS, Grid, counted_windows, plane_windows

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LENGTH = timedelta(seconds=15)


def after(seconds: float, counted_until: datetime | None = NOON) -> Grid | None:
    return Grid.after(counted_until, NOON + timedelta(seconds=seconds), LENGTH)


@pytest.mark.parametrize("seconds", [0, 14, 15, 15.9])
def test_a_window_is_asked_for_only_when_it_is_over_and_stored(seconds: float) -> None:
    assert after(seconds) is None


@pytest.mark.parametrize(
    ("seconds", "end", "number"), [(16, 15, 1), (44, 30, 2), (47, 45, 3), (100, 90, 6), (7200, 7185, MOST_WINDOWS)]
)
def test_all_windows_since_the_last_one_are_asked_for(seconds: float, end: float, number: int) -> None:
    assert after(seconds) == Grid(LENGTH, NOON + timedelta(seconds=end) - (number - 1) * LENGTH, NOON + timedelta(seconds=end))


@pytest.mark.parametrize(("seconds", "sizes"), [(16, [1]), (100, [6]), (7200, [8] * 8)])
def test_who_asks_alone_asks_in_few_parts_that_leave_none_out_and_ask_for_none_twice(seconds: float, sizes: list[int]) -> None:
    grid = after(seconds)
    assert grid is not None

    parts = list(grid.parts())

    assert [1 + (part.end - part.start) // LENGTH for part in parts] == sizes
    assert (parts[0].start, parts[-1].end) == (grid.start, grid.end)
    assert all(later.start - earlier.end == LENGTH for earlier, later in pairwise(parts))


@given(first=st.integers(0, 10**9), number=st.integers(1, MOST_WINDOWS), seconds=st.integers(1, 3600))
def test_windows_are_asked_for_in_blocks_that_are_the_same_whoever_is_behind(first: int, number: int, seconds: int) -> None:
    # Given some windows in a row
    window = timedelta(seconds=seconds)
    at = [datetime.fromtimestamp(seconds * place, UTC) for place in range(first % 10**6, first % 10**6 + number)]

    # When they are divided
    blocks = list(Grid(window, at[0], at[-1]).blocks())

    # Then none is left out and none is there twice
    ends = [block.start + step * window for block in blocks for step in range(1 + (block.end - block.start) // window)]
    assert ends == at
    # And each block lies on a multiple of its size, a power of two
    for block in blocks:
        size = 1 + (block.end - block.start) // window
        assert size in {1, 2, 4, 8}
        assert block.start.timestamp() / seconds % size == 0
    # And there are few: a run of whole ones in the middle, and at most three on either side
    assert len(blocks) <= number // 8 + 6


def test_counting_that_began_off_the_grid_waits_for_a_window_that_lies_wholly_behind_its_beginning() -> None:
    begun = NOON + timedelta(seconds=7)

    assert after(20, begun) is None
    assert after(31, begun) is not None


def test_before_anything_was_written_nothing_is_counted() -> None:
    assert after(1000, None) is None


def test_answers_become_windows_by_time_and_arm() -> None:
    # Given what two counters grew by at two times
    def series(value: str, **labels: str) -> dict[str, object]:
        at = [NOON.timestamp(), NOON.timestamp() + 15]
        return {"metric": {"sark_rollout": "shop/gw", **labels}, "values": [[at[0], value], [at[1], "0"]]}

    requests = by_time(
        [
            series("8", implementation="rust", result="allow"),
            series("1", implementation="rust", result="undefined"),
            series("2", implementation="rust", result="error"),
        ],
        RequestsByArm,
    )
    buckets = [series("9", implementation="rust", le="0.1"), series("11", implementation="rust", le="+Inf")]
    latency = by_time(buckets, LatencyByArm)
    grid = Grid(LENGTH, NOON, NOON + LENGTH)

    # When they are put together
    first, second = counted_windows(
        grid,
        {at: found["shop/gw"] for at, found in requests.items()},
        {at: found["shop/gw"] for at, found in latency.items()},
    )

    # Then each window has its own
    assert (first.start, first.end) == (NOON - LENGTH, NOON)
    assert first.arms == {"rust": ArmWindow(11, 2, Histogram((0.1, inf), (9, 11)), 1)}
    assert second.start == first.end
    assert second.arms["rust"].requests == 0


def test_a_time_without_series_is_no_window() -> None:
    grid = Grid(LENGTH, NOON, NOON + LENGTH)

    windows = counted_windows(grid, {NOON.timestamp(): {"rust": Requests(1, 0, 0)}}, {})

    assert [window.end for window in windows] == [NOON]


def test_what_happened_inside_the_new_arm_is_of_the_new_arm_and_nothing_where_nobody_counted() -> None:
    ours, theirs = Histogram((inf,), (5.0,)), Histogram((inf,), (7.0,))

    found = plane_windows(
        {1.0: 3.0},
        {1.0: {ARM_NEW: ours, ARM_BASELINE: theirs}},
        {2.0: {ARM_NEW: ours, ARM_BASELINE: theirs}},
        {1.0: {"match": 90.0, "mismatch": 1.0}},
    )

    assert found == {
        1.0: CountedPlane(3.0, ours, Histogram((), ()), Comparisons(90.0, 1.0)),
        2.0: CountedPlane(None, Histogram((), ()), ours, None),
    }
