"""What is looked for between two evaluations is what an evaluation would take back, and nothing where nothing is in force."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import inf

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW, LABEL_ALERT_ACTION, LABEL_ROLLOUT
from sark_api.spec import Criteria
from sark_api.status import Phase
from sark_e2e.simulated_target import SimulatedTarget
from sark_operator.core.alerts import FiringAlert, FiringAlerts
from sark_operator.core.observation import ArmWindow, Comparisons, Histogram
from sark_operator.core.tripwire import Tripwire

CRITERIA = Criteria.model_validate({"denyShift": {"action": "Revert"}, "alerts": {"action": "Revert"}})
WIRE = Tripwire("u1", "shop/gateway", CRITERIA, 25)
BASELINE = ArmWindow(4000, errors=4, refusals=400)


def new(*, errors: float = 0, refusals: float = 100, requests: float = 1000) -> dict[str, ArmWindow]:
    return {ARM_NEW: ArmWindow(requests, errors, refusals=refusals), ARM_BASELINE: BASELINE}


def timed(*, slow: float) -> dict[str, ArmWindow]:
    """Return arms of which the baseline answers in 10 ms, and the new one in more than 50 ms `slow` times of 1,000."""
    bounds = (0.01, 0.05, inf)
    return {
        ARM_NEW: ArmWindow(latency=Histogram(bounds, (1000 - slow, 1000 - slow, 1000.0))),
        ARM_BASELINE: ArmWindow(latency=Histogram(bounds, (4000.0, 4000.0, 4000.0))),
    }


@pytest.mark.parametrize(
    ("arms", "seen"),
    [
        pytest.param(new(errors=900), True, id="nearly all fail"),
        pytest.param(new(errors=12), False, id="a little above the limit, which windows have to prove"),
        pytest.param(new(errors=0), False, id="none fails"),
        pytest.param(new(errors=50, requests=50), False, id="too few"),
        pytest.param(new(refusals=1000), True, id="all are refused"),
        pytest.param({}, False, id="no series"),
    ],
)
def test_requests_show_a_breach_that_needs_no_further_window(arms: dict[str, ArmWindow], seen: bool) -> None:
    assert WIRE.is_tripped_by_requests(arms) is seen


def test_where_the_baseline_fails_as_well_nothing_is_the_new_arms_doing() -> None:
    arms = new(errors=900, refusals=10) | {ARM_BASELINE: ArmWindow(4000, errors=3600, refusals=40)}
    assert not WIRE.is_tripped_by_requests(arms)
    assert replace(WIRE, percent=100).is_tripped_by_requests(arms)  # nobody is left in it


@pytest.mark.parametrize(("slow", "seen"), [(900, True), (60, False), (0, False)])
def test_latencies_show_a_breach_that_needs_no_further_window(slow: float, seen: bool) -> None:
    assert WIRE.is_tripped_by_latency(timed(slow=slow)) is seen


def test_at_100_percent_latency_is_held_against_the_last_baseline() -> None:
    alone = {ARM_NEW: timed(slow=900)[ARM_NEW]}
    assert replace(WIRE, percent=100, baseline_p95_microseconds=10_000).is_tripped_by_latency(alone)
    assert not replace(WIRE, percent=100).is_tripped_by_latency(alone)


def alert(**labels: str) -> FiringAlert:
    return FiringAlert.of({"alertname": "Broken", **labels})


ABOUT_IT = FiringAlerts([alert(**{LABEL_ROLLOUT: "shop/gateway"})])


@pytest.mark.parametrize(
    ("labels", "seen"),
    [
        pytest.param({LABEL_ROLLOUT: "shop/gateway"}, True, id="about it"),
        pytest.param({LABEL_ROLLOUT: "shop/other"}, False, id="about another"),
        pytest.param({LABEL_ROLLOUT: "shop/gateway", LABEL_ALERT_ACTION: "warn"}, False, id="takes nothing back"),
    ],
)
def test_alerts_that_take_it_back_are_seen(labels: dict[str, str], seen: bool) -> None:
    assert WIRE.is_tripped_by_alerts(FiringAlerts([alert(**labels)])) is seen
    assert not WIRE.is_tripped_by_alerts(FiringAlerts())


def test_an_arm_that_refuses_everything_is_seen_where_refusals_only_hold() -> None:
    wire = replace(WIRE, criteria=Criteria())
    assert wire.is_tripped_by_requests(new(refusals=1000))
    assert not wire.is_tripped_by_requests(new(refusals=800))


def test_a_criterion_that_only_warns_is_in_no_hurry() -> None:
    warns = {"errorRate": {"action": "Warn"}, "latencyP95": {"action": "Hold"}, "denyShift": {"action": "Warn"}}
    wire = replace(WIRE, criteria=Criteria.model_validate(warns))
    assert not wire.is_tripped_by_requests(new(errors=900))
    assert not wire.is_tripped_by_requests(new(refusals=1000))
    assert not wire.is_tripped_by_latency(timed(slow=900))


@pytest.mark.parametrize("percent", [0, None])
def test_where_nobody_is_served_nothing_can_fail(percent: int | None) -> None:
    wire = replace(WIRE, percent=percent)
    assert not wire.is_tripped_by_requests(new(errors=900))
    assert not wire.is_tripped_by_latency(timed(slow=900))
    assert wire.is_tripped_by_alerts(ABOUT_IT) is (percent == 0)  # a shadow step can be ended


@pytest.mark.parametrize(
    ("shadow", "seen"),
    [
        pytest.param(Comparisons(matches=5, mismatches=1), True, id="one differs, and none may"),
        pytest.param(Comparisons(matches=5, unconfirmed=1), False, id="one may, which is not known yet"),
        pytest.param(Comparisons(matches=5), False, id="none differs"),
        pytest.param(Comparisons(), False, id="none was compared"),
    ],
)
def test_decisions_that_differ_are_seen_where_they_are_compared(shadow: Comparisons, seen: bool) -> None:
    wire = replace(WIRE, percent=0, compares=True)
    assert wire.is_tripped_by_comparisons(shadow) is seen
    assert not replace(wire, compares=False).is_tripped_by_comparisons(shadow)
    warns = Criteria.model_validate({"decisionMismatch": {"action": "Warn"}})
    assert not replace(wire, criteria=warns).is_tripped_by_comparisons(shadow)


def wire_of(target: SimulatedTarget) -> Tripwire:
    return Tripwire.of("u1", "shop/gateway", target.spec, target.status, target.now)


def test_what_is_in_force_trips(baking: SimulatedTarget) -> None:
    # Given a rollout at 25%, then its share and its baseline are known
    wire = wire_of(baking)
    assert (wire.percent, wire.baseline_p95_microseconds) == (25, baking.status.baseline_p95_microseconds)
    assert wire.baseline_p95_microseconds is not None

    # When it goes back, then nothing trips it any more
    baking.status = baking.status.model_copy(update={"phase": Phase.REVERTING})
    assert wire_of(baking).percent is None


def test_a_completed_rollout_trips_as_long_as_it_is_watched(completed: SimulatedTarget) -> None:
    # Given a completed rollout, when its watch goes on, then it is at 100%
    assert wire_of(completed).percent == 100

    # When the watch is over, then nothing is judged, and nothing trips
    completed.now += completed.spec.watch_after + timedelta(seconds=1)
    assert wire_of(completed).percent is None
