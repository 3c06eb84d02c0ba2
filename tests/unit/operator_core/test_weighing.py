"""Adding counting windows to the evidence in the status."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf, nan

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Criteria, DecisionMismatch
from sark_api.status import Evidence
from sark_e2e.simulated_target import arm, times
from sark_operator.core.observation import ArmWindow, Comparisons, CountedPlane, CountedWindow, Histogram
from sark_operator.core.sequential.fractions import Counts, limit_beside
from sark_operator.core.sequential.sides import Setting
from sark_operator.core.sequential.weighing import Weighing, countable, needed, weigh
from sark_operator.core.sequential.weight import Weight

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LENGTH = timedelta(seconds=15)
GOOD = arm(1000, refusals=200)
NO_PLANE = CountedPlane()


def window(number: int, new: ArmWindow = GOOD, baseline: ArmWindow = GOOD, plane: CountedPlane = NO_PLANE) -> CountedWindow:
    start = NOON + number * LENGTH
    return CountedWindow(start, start + LENGTH, {ARM_NEW: new, ARM_BASELINE: baseline}, plane)


def weighed(*windows: CountedWindow, before: list[Evidence] | None = None, percent: int = 50) -> Weighing:
    lately = windows[-1].arms if windows else {}
    setting = Setting(Criteria(), percent, lately, slow_seconds=0.01, settled_since=NOON)
    return weigh(before or [], setting, windows, None)


def test_each_window_counts_once_whatever_is_offered_again() -> None:
    offered = [window(0), window(1), window(2)]
    since, now = NOON + LENGTH, NOON + 10 * LENGTH

    assert countable(offered, since, now) == offered[1:]
    assert countable([*offered, *offered], since, now) == offered[1:]
    assert countable(offered, NOON + 3 * LENGTH, now) == []


def test_a_window_that_is_not_over_or_overlaps_is_left_out() -> None:
    crooked = CountedWindow(NOON + LENGTH / 2, NOON + LENGTH * 1.5, {})

    assert countable([window(0), crooked], NOON, NOON + 10 * LENGTH) == [window(0)]
    assert countable([window(0), window(1)], NOON, NOON + LENGTH) == [window(0)]


def test_counting_in_one_go_or_in_two_is_the_same() -> None:
    windows = [window(number, arm(100, number % 3)) for number in range(8)]
    first = weighed(*windows[:5])

    assert weighed(*windows[5:], before=first.evidence).evidence == weighed(*windows).evidence


def test_a_tick_without_a_window_leaves_the_evidence_as_it_was() -> None:
    first = weighed(*(window(number, arm(100, 20)) for number in range(4)))

    later = weighed(before=first.evidence)

    assert later.evidence == first.evidence
    assert later.weights["errorRate"].proven


def test_evidence_of_an_operator_that_betted_otherwise_is_begun_anew() -> None:
    before = [Evidence(name="errorRate", percent=50, windows=3, samples=300, hits=60, pools=[0, 0])]

    assert weighed(window(0), before=before).evidence[0].pools == weighed(window(0)).evidence[0].pools


@pytest.mark.parametrize(("odds", "proven"), [(699.0, False), (700.0, True)])
def test_a_breach_is_proven_by_as_much_evidence_as_is_needed(odds: float, proven: bool) -> None:
    assert Weight(odds, 700).proven is proven


def test_errors_of_the_new_arm_alone_are_evidence() -> None:
    found = weighed(*(window(number, arm(100, 20)) for number in range(4)))

    assert found.weights["errorRate"].proven
    assert not found.weights["latencyP95"].doubtful
    assert found.counted_until == NOON + 4 * LENGTH


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_errors_of_both_arms_at_once_are_none(share: float) -> None:
    suffering = arm(1000, 1000 * share)

    found = weighed(*(window(number, suffering, suffering) for number in range(240)))

    assert not found.weights["errorRate"].doubtful


@pytest.mark.parametrize(
    ("suffering", "limit"),
    [
        pytest.param(Counts(200, 2000), 0.15, id="half as much again as it suffers"),
        pytest.param(Counts(2, 20), 0.15, id="of just enough requests"),
        pytest.param(Counts(19, 19), 0.01, id="of too few requests to say anything"),
        pytest.param(Counts(1, 2000), 0.01, id="never less than the limit"),
    ],
)
def test_beside_a_baseline_that_suffers_the_new_arm_may_suffer_a_little_more(suffering: Counts, limit: float) -> None:
    assert limit_beside(0.01, suffering) == pytest.approx(limit)


def test_twice_as_many_errors_as_a_suffering_baseline_are_evidence() -> None:
    found = weighed(*(window(number, arm(1000, 200), arm(1000, 100)) for number in range(80)))

    assert found.weights["errorRate"].proven


def test_at_100_percent_there_is_no_baseline_to_share_the_blame() -> None:
    suffering = arm(1000, 200)

    assert weighed(*(window(n, suffering, suffering) for n in range(4)), percent=100).weights["errorRate"].proven


def test_slow_requests_are_evidence() -> None:
    assert weighed(*(window(number, arm(100, seconds=0.05)) for number in range(8))).weights["latencyP95"].proven


@pytest.mark.parametrize("refusals", [1000.0, 0.0])
def test_refusals_that_differ_grossly_are_evidence_either_way(refusals: float) -> None:
    half = arm(1000, refusals=500)

    found = weighed(*(window(number, arm(1000, refusals=refusals), half) for number in range(80)))

    assert found.weights["denyShift"].proven


def test_refusals_that_both_arms_have_at_once_are_no_evidence() -> None:
    found = weighed(*(window(number, *[arm(1000, refusals=999 if number % 7 < 3 else 20)] * 2) for number in range(240)))

    assert not found.weights["denyShift"].doubtful


def test_a_new_arm_that_gets_all_requests_is_evidence_only_once_everybody_serves_the_share() -> None:
    windows = [window(number, arm(900), arm(20)) for number in range(40)]
    setting = Setting(Criteria(), 25, {}, slow_seconds=None, settled_since=NOON)
    unsettled = Setting(Criteria(), 25, {}, slow_seconds=None, settled_since=None)

    assert weigh([], setting, windows, None).weights["sampleRatio"].proven
    assert weigh([], unsettled, windows, None).weights["sampleRatio"].windows == 0


def test_a_new_arm_that_gets_hardly_any_requests_is_evidence_too() -> None:
    windows = [window(number, arm(20), arm(900)) for number in range(40)]
    setting = Setting(Criteria(), 75, {}, slow_seconds=None, settled_since=NOON)

    assert weigh([], setting, windows, None).weights["sampleRatio"].proven


@pytest.mark.parametrize(("lately", "baseline"), [(ArmWindow(), GOOD), (GOOD, ArmWindow())], ids=["lately", "in the window"])
def test_where_the_baseline_decided_nothing_no_shift_is_looked_for(lately: ArmWindow, baseline: ArmWindow) -> None:
    setting = Setting(Criteria(), 50, {ARM_BASELINE: lately}, slow_seconds=None)

    found = weigh([], setting, [window(0, arm(1000, refusals=1000), baseline)], None)

    assert found.weights["denyShift"].windows == 0


def test_fallbacks_and_slow_parts_of_the_new_arm_are_evidence_each_of_its_own() -> None:
    plane = CountedPlane(fallbacks=3, evaluations=times(100, 0.009), lookups=times(100, 0.0001))

    found = weighed(*(window(number, plane=plane) for number in range(12)))

    assert found.weights["fallbackRate"].proven
    assert found.weights["opaP95"].proven
    assert not found.weights["cacheP95"].doubtful


def test_a_window_without_the_series_of_the_new_arm_is_no_evidence_of_its_inside() -> None:
    found = weighed(window(0), window(1))

    assert [found.weights[name].windows for name in ("errorRate", "fallbackRate", "opaP95", "cacheP95")] == [2, 0, 0, 0]


def test_one_window_is_too_few_for_the_floor_until_the_attempt_has_lasted() -> None:
    setting = Setting(Criteria(), 50, {}, slow_seconds=0.01, settled_since=NOON, lasting=False)

    assert not weigh([], setting, [window(0)], None).weights["errorRate"].seasoned
    assert weigh([], setting, [window(0), window(1)], None).weights["errorRate"].seasoned
    assert weigh([], replace(setting, lasting=True), [], None).weights["errorRate"].seasoned


@pytest.mark.parametrize("number", [nan, -1.0, 1e300])
def test_a_window_with_a_number_that_is_no_count_is_passed_over(number: float) -> None:
    for broken in (ArmWindow(number, 0), ArmWindow(10, number), ArmWindow(10, 0, Histogram((1.0,), (number,)))):
        windows = [window(0), window(1, broken), window(2), window(3, ArmWindow(), ArmWindow()), window(4, broken)]
        # As the last one it is left for later; between others it is none of the evidence.
        assert countable(windows, NOON, NOON + 9 * LENGTH) == windows[:3]
        found = weighed(*windows[:3])
        assert found.weights["errorRate"].windows == 2
        assert found.counted_until == NOON + 3 * LENGTH


@pytest.mark.parametrize("number", [nan, -1.0, 1e300])
def test_a_number_from_inside_the_new_arm_that_is_no_count_keeps_only_its_own_criterion_from_betting(number: float) -> None:
    sound = CountedPlane(1, times(100, 0.001), times(100, 0.0001), Comparisons(100, 0))
    broken = Histogram((inf,), (number,))
    criteria = Criteria(decision_mismatch=DecisionMismatch(limit_parts_per_million=10))
    tests = ("errorRate", "fallbackRate", "opaP95", "cacheP95", "decisionMismatch")
    planes = {
        "": sound,
        "fallbackRate": replace(sound, fallbacks=number),
        "opaP95": replace(sound, evaluations=broken),
        "cacheP95": replace(sound, lookups=broken),
        "decisionMismatch": replace(sound, compared=Comparisons(100, number)),
    }
    for kept_out, plane in planes.items():
        setting = Setting(criteria, 25, {}, slow_seconds=None)
        found = weigh([], setting, [window(0, plane=plane)], None)
        assert {name for name in tests if not found.weights[name].windows} == {kept_out} - {""}
        assert found.counted_until == NOON + LENGTH


def test_a_window_without_requests_is_no_evidence_and_no_relief() -> None:
    assert weighed(window(0, ArmWindow(), ArmWindow())).weights["errorRate"].windows == 0


def test_the_chance_of_a_false_revert_is_shared_by_all_sides() -> None:
    assert needed(Criteria(), 1) == 700
    assert needed(Criteria(), 2) == 1400
    assert needed(Criteria(false_revert_basis_points=500), 1) == 140


def test_a_tolerated_share_of_mismatches_takes_its_part_of_the_chance() -> None:
    tolerant = Criteria(decision_mismatch=DecisionMismatch(limit_parts_per_million=100))

    assert (needed(tolerant, 1), needed(tolerant, 2)) == (800, 1600)
