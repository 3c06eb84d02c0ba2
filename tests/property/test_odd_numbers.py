"""Whatever numbers Prometheus answers with, something is decided on them, and it can be stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.status import SarkRolloutStatus
from sark_e2e.simulated_target import SimulatedTarget, arm, quick_spec
from sark_operator.core.decide import decide
from sark_operator.core.decision import WriteFlags
from sark_operator.core.observation import (
    ArmWindow,
    Comparisons,
    CountedPlane,
    CountedWindow,
    DataPlane,
    Histogram,
    MemorySeries,
    Metrics,
    Missing,
)

SHADOW = {"percent": 50, "bake": "1s", "shadow": {"samplePercent": 50}}
SPECS = (
    quick_spec(
        criteria={"window": "10s", "memoryGrowth": {"window": "30s"}, "custom": [{"name": "queue", "query": "q", "max": "1"}]}
    ),
    quick_spec(steps=[{"percent": 5, "bake": "1s"}, SHADOW, {"percent": 100}]),
)
NUMBER = st.sampled_from([0.0, -0.0, -1.0, nan, inf, -inf, 1e-320, 0.5, 3.0, 1000.0, 2.0**53, 1e18, 1.7e308])
LATE = Missing("MetricsTimeout", "Prometheus did not answer")


def _missing_or(known: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(known, st.just(LATE))


HISTOGRAMS = st.one_of(
    st.builds(lambda counts: Histogram((0.005, 0.01, inf), counts), st.tuples(NUMBER, NUMBER, NUMBER)),
    st.lists(NUMBER, max_size=5)
    .map(sorted)
    .flatmap(
        lambda bounds: st.lists(NUMBER, min_size=len(bounds), max_size=len(bounds)).map(
            lambda counts: Histogram(tuple(bounds), tuple(counts))
        )
    ),
)
ARMS = st.dictionaries(st.sampled_from([ARM_NEW, ARM_BASELINE]), st.builds(ArmWindow, NUMBER, NUMBER, HISTOGRAMS, NUMBER))
POINTS = st.lists(NUMBER, max_size=12).map(lambda values: tuple((1.7e9 + 60 * at, value) for at, value in enumerate(values)))
MEMORY = st.lists(st.builds(MemorySeries, st.sampled_from(["gw-0", "gw-1"]), POINTS), max_size=2).map(tuple)
COMPARISONS = st.builds(Comparisons, NUMBER, NUMBER, st.tuples(st.tuples(st.just("allow"), st.just("value"), NUMBER)), NUMBER)
PLANE = st.builds(
    DataPlane,
    _missing_or(st.one_of(st.none(), NUMBER)),
    _missing_or(HISTOGRAMS),
    _missing_or(HISTOGRAMS),
    _missing_or(st.dictionaries(st.just("gw-0"), NUMBER)),
    _missing_or(COMPARISONS),
)
METRICS = st.builds(
    Metrics,
    arms=_missing_or(ARMS),
    memory=_missing_or(MEMORY),
    sustained_memory=_missing_or(MEMORY),
    data_plane=PLANE,
    custom=st.fixed_dictionaries({"queue": _missing_or(NUMBER)}),
)
COUNTED = st.lists(
    st.tuples(ARMS, st.builds(CountedPlane, NUMBER, HISTOGRAMS, HISTOGRAMS, st.builds(Comparisons, NUMBER, NUMBER))), max_size=3
)


@cache
def baking(plan: int, percent: int) -> SimulatedTarget:
    """Return a rollout that bakes at `percent`; it is only looked at."""
    target = SimulatedTarget(spec=SPECS[plan], custom={"queue": 0.0})
    target.run_to(percent)
    target.run(2)
    return target


@given(plan=st.sampled_from([0, 1]), percent=st.sampled_from([5, 50, 100]), metrics=METRICS, counted=COUNTED)
def test_whatever_the_numbers_are_something_is_decided_and_can_be_stored(
    plan: int,
    percent: int,
    metrics: Metrics,
    counted: list[tuple[dict[str, ArmWindow], CountedPlane]],
) -> None:
    # Given a rollout that bakes, and numbers that no fleet has
    target = baking(plan, percent)
    length = timedelta(seconds=10)
    windows = tuple(
        CountedWindow(target.now - (age + 1) * length, target.now - age * length, arms, plane)
        for age, (arms, plane) in enumerate(counted)
    )
    seen = replace(target.observe(), metrics=replace(metrics, windows=windows))

    # When it is decided on them
    decision = decide(target.identity, target.spec, target.status, seen, target.now)

    # Then the status is one that the API server takes
    wire = decision.status.to_wire()
    assert SarkRolloutStatus.model_validate(json.loads(json.dumps(wire, allow_nan=False))) == decision.status


HUGE = 1.7e308
SLOW = Histogram((0.005, 1e308, inf), (10.0, 1000.0, 1000.0))


def _memory(target: SimulatedTarget) -> tuple[MemorySeries, ...]:
    return (MemorySeries("gw-0", tuple((target.now.timestamp() - 5 * age, HUGE) for age in reversed(range(12)))),)


@pytest.mark.parametrize(
    ("plan", "odd"),
    [
        (0, lambda target, seen: replace(seen, memory=_memory(target), sustained_memory=_memory(target))),
        (
            1,
            lambda _, seen: replace(
                seen, data_plane=replace(seen.data_plane, shadow=Comparisons(1, 1, (("a", "value", inf),)))
            ),
        ),
        (0, lambda _, seen: replace(seen, data_plane=replace(seen.data_plane, evaluations=SLOW, lookups=SLOW))),
        (0, lambda _, seen: replace(seen, arms={**seen.arms, ARM_BASELINE: replace(seen.arms[ARM_BASELINE], latency=SLOW)})),
        (0, lambda _, seen: replace(seen, arms={**seen.arms, ARM_BASELINE: ArmWindow(inf, 0.0, SLOW, 0.0)})),
    ],
    ids=["memory", "mismatches", "times inside", "latency", "requests"],
)
def test_no_number_keeps_a_breach_from_being_reverted(plan: int, odd: Callable[[SimulatedTarget, Any], Metrics]) -> None:
    # Given a rollout at 50 % of which half the requests fail, and one number beside that nobody can reckon with
    target = baking(plan, 50)
    seen = target.observe()
    assert not isinstance(seen.metrics.arms, Missing)
    failing = replace(seen.metrics, arms={**seen.metrics.arms, ARM_NEW: arm(1000, errors=500)})

    # When it is decided on them, then it goes back
    decision = decide(
        target.identity,
        target.spec,
        target.status,
        replace(seen, metrics=odd(target, failing)),
        target.now + timedelta(seconds=1),
    )
    assert decision.status.reason == "CriterionBreached"
    assert [action.document.percentage for action in decision.actions if isinstance(action, WriteFlags)] == [0]
