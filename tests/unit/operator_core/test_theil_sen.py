from __future__ import annotations

from math import inf, nan, sin
from random import Random

import pytest

from sark_operator.core.theil_sen import MAX_POINTS, MIN_POINTS, theil_sen, thin


def line(slope: float, size: int = 30) -> list[tuple[float, float]]:
    return [(float(x), 7 + slope * x) for x in range(size)]


def test_a_line_has_its_slope_and_no_spread() -> None:
    slope = theil_sen(line(2.5))

    assert slope is not None
    assert (slope.value, slope.lower, slope.upper) == pytest.approx((2.5, 2.5, 2.5))


def test_wild_points_do_not_bend_it() -> None:
    points = line(1.0)
    for index in (3, 11, 19, 27):
        points[index] = (points[index][0], 1e9)

    slope = theil_sen(points)

    assert slope is not None
    assert slope.value == pytest.approx(1.0, rel=0.2)


def test_the_published_interval_is_met() -> None:
    # With n = 10, Kendall's sigma is sqrt(10 * 9 * 25 / 18) = 11.18, so C = 36.8: of the 45 slopes, 4 lie below and above.
    points = [(float(x), 3.0 * x + (-1) ** x) for x in range(10)]
    slopes = sorted((points[b][1] - points[a][1]) / (b - a) for a in range(10) for b in range(a + 1, 10))

    slope = theil_sen(points)

    assert slope is not None
    assert (slope.lower, slope.upper) == (slopes[4], slopes[40])


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random, covered, trials = Random(1), 0, 300
    for _ in range(trials):
        slope = theil_sen([(float(x), 0.3 * x + random.gauss(0, 4)) for x in range(25)])
        assert slope is not None
        covered += slope.lower <= 0.3 <= slope.upper

    assert covered / trials >= 0.985


def test_deviations_that_last_widen_it() -> None:
    # Given the same deviations, once each after another that is like it, and once mixed
    wave = [sin(x / 10) for x in range(60)]
    mixed = Random(1).sample(wave, len(wave))

    lasting, independent = (theil_sen(list(enumerate(each))) for each in (wave, mixed))

    assert lasting is not None
    assert independent is not None
    assert lasting.upper - lasting.lower > 2 * (independent.upper - independent.lower)


def test_a_growth_that_every_pair_of_points_shows_is_sure_however_deviations_last() -> None:
    slope = theil_sen([(float(x), 200.0 * x + sin(x / 10)) for x in range(60)])

    assert slope is not None
    assert slope.lower > 199


def test_long_series_are_thinned_with_both_ends_kept() -> None:
    points = line(1.0, 10_000)

    kept = thin(points)

    assert len(kept) == MAX_POINTS
    assert (kept[0], kept[-1]) == (points[0], points[-1])


@pytest.mark.parametrize(
    "points",
    [
        [],
        line(1.0, MIN_POINTS - 1),
        [(1.0, float(y)) for y in range(20)],
        [(float(x), nan) for x in range(20)],
        [(float(x), inf) for x in range(20)],
    ],
)
def test_too_little_has_no_slope(points: list[tuple[float, float]]) -> None:
    assert theil_sen(points) is None


def test_order_does_not_matter_and_equal_times_are_skipped() -> None:
    points = line(2.0)

    assert theil_sen([*reversed(points), points[4]]) is not None
    assert theil_sen(list(reversed(points))) == theil_sen(points)
