"""Counting windows that stop coming: what one look shows is no proof, however often it is looked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import inf, nan
from typing import Any

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Action, Features, Rollback, Step, Toggle
from sark_api.status import Phase
from sark_e2e.simulated_target import SimulatedTarget, arm
from sark_operator.core.observation import Histogram, Missing

LATE = Missing("MetricsTimeout", "Prometheus did not answer within 5 s")
LONGEST = 10 + 4 + 60
"""Window of the simulated target, four counting windows, and a minute."""


@pytest.fixture
def slow(target: SimulatedTarget) -> SimulatedTarget:
    """A rollout that is well at 5 %, and stays there for minutes."""
    target.ask(steps=[Step(percent=5, bake=timedelta(minutes=5)), Step(percent=100, bake=timedelta(minutes=5))])
    target.run_to(5)
    target.run(10)
    return target


@pytest.fixture
def quiet(slow: SimulatedTarget) -> SimulatedTarget:
    """A rollout that is well at 5 % by all that one look shows, and whose ranges cannot be read any more."""
    slow.windows_missing = LATE
    return slow


def test_a_short_silence_changes_nothing(quiet: SimulatedTarget) -> None:
    quiet.run(LONGEST - 5)
    assert quiet.status.summary.verdict == "Pass"


def test_a_long_one_holds_the_step_and_is_no_blindness(quiet: SimulatedTarget) -> None:
    quiet.run(LONGEST + 5)
    held = quiet.status.bake
    quiet.run(600, every=2)

    assert (quiet.percent, quiet.status.phase, quiet.status.reason) == (5, Phase.PROGRESSING, "CriterionUnknown")
    assert quiet.status.bake is not None
    assert held is not None
    assert quiet.status.bake.proven_milliseconds == held.proven_milliseconds
    assert quiet.status.blind_since is None
    unknown = {each.name for each in quiet.status.criteria if "no counting window for" in each.message}
    assert unknown == {"errorRate", "latencyP95", "denyShift", "sampleRatio", "fallbackRate", "opaP95", "cacheP95"}

    # And when they come again it goes on
    quiet.windows_missing = None
    quiet.run_to(100)


def test_a_catastrophe_reverts_all_the_same(quiet: SimulatedTarget) -> None:
    quiet.run(LONGEST + 5)
    quiet.arms = {ARM_NEW: arm(1000, errors=400), ARM_BASELINE: arm()}
    quiet.tick(1)

    assert quiet.status.revert is not None
    assert quiet.status.revert.criterion == "errorRate"


@pytest.mark.parametrize("behind", [1.5, 20, 50])
def test_a_prometheus_whose_clock_is_behind_proves_an_arm_bad_a_little_later(slow: SimulatedTarget, behind: float) -> None:
    # Given a Prometheus that answers for windows in its future as if nobody had asked anything
    slow.clock_behind = timedelta(seconds=behind)
    slow.run(30)
    assert slow.percent == 5

    # When the new arm fails more than it may, though too little for one look at it
    slow.arms = {ARM_NEW: arm(1000, errors=30), ARM_BASELINE: arm()}
    slow.run(LONGEST)

    # Then the windows that are over by Prometheus' own clock prove it
    assert slow.status.revert is not None
    assert slow.status.revert.criterion == "errorRate"


def test_one_that_is_further_behind_holds_the_step(slow: SimulatedTarget) -> None:
    # Given one whose present is older than all windows that are asked for
    slow.clock_behind = timedelta(minutes=4)
    slow.run(LONGEST + 5)
    held = slow.status.bake

    # When it stays so for longer than the step needs, then nothing is proven by looks alone
    slow.run(600, every=2)
    assert (slow.percent, slow.status.phase, slow.status.reason) == (5, Phase.PROGRESSING, "MetricsUnavailable")
    assert slow.status.bake is not None
    assert held is not None
    assert slow.status.bake.proven_milliseconds == held.proven_milliseconds
    assert "no counting window for" in slow.status.criteria[0].message

    # And when its clock is right again, it goes on
    slow.clock_behind = timedelta(0)
    slow.run_to(100)


def counted(target: SimulatedTarget) -> int:
    return next(each.windows for each in target.status.evidence if each.name == "errorRate")


@pytest.mark.parametrize("behind", [3, 30, LONGEST])
def test_an_operator_whose_clock_is_behind_does_not_count_again_what_the_one_before_it_counted(
    slow: SimulatedTarget, behind: int
) -> None:
    # Given windows that were counted by an operator with another clock
    before, until = counted(slow), slow.status.counted_until

    # When another takes over whose clock is behind that of Prometheus
    slow.now -= timedelta(seconds=behind)
    slow.clock_ahead = timedelta(seconds=behind)
    slow.run(behind)

    # Then it counts none until its own clock shows their end, and goes on from there
    assert (counted(slow), slow.status.counted_until) == (before, until)
    slow.run(10)
    assert counted(slow) == before + 10


def test_where_a_clock_was_wrong_by_a_day_evidence_does_not_wait_for_a_day(slow: SimulatedTarget) -> None:
    before = counted(slow)

    slow.tick(-86_400)
    slow.run(10)

    assert counted(slow) == before + 10


def test_windows_that_are_no_counts_are_silence_too(slow: SimulatedTarget) -> None:
    slow.windows_unsound = True
    slow.run(LONGEST + 5)

    assert (slow.percent, slow.status.reason, slow.status.blind_since) == (5, "CriterionUnknown", None)
    assert "no counting window" in slow.status.message

    # And once they can be counted again they are
    slow.windows_unsound = False
    slow.run(10)
    assert slow.status.summary.verdict == "Pass"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"action": Action.WARN},
        {"features": Features(cache=Toggle.DISABLED)},
    ],
    ids=["reverting", "warning", "no cache"],
)
def test_errors_are_proven_whatever_cannot_be_read_inside_the_arm(baking: SimulatedTarget, changes: dict[str, Any]) -> None:
    # Given look-ups that cannot be read, as when one sidecar's series has no bucket for the rest
    action = changes.pop("action", Action.REVERT)
    lookups = baking.spec.criteria.cache_p95.model_copy(update={"action": action})
    baking.ask(**changes, criteria=baking.spec.criteria.model_copy(update={"cache_p95": lookups}))
    baking.tick(1)
    baking.plane = replace(baking.plane, lookups=Histogram((inf,), (nan,)))

    # When the arm fails three times as often as allowed, then it is taken back for its errors
    baking.arms = {ARM_NEW: arm(1000, 30), ARM_BASELINE: arm()}
    records = [record for decision in baking.run(40) for record in decision.records]
    assert next(record.reason for record in records if record.to_percent == 0) == "CriterionBreached"
    assert baking.percent == 0


@pytest.mark.parametrize("part", ["evaluations", "lookups"])
def test_what_cannot_be_read_for_too_long_is_blindness(baking: SimulatedTarget, part: str) -> None:
    baking.ask(rollback=Rollback(blind_for=timedelta(seconds=30)))
    baking.plane = replace(baking.plane, **{part: Histogram((inf,), (nan,))})

    records = [record.reason for decision in baking.run(40) for record in decision.records]

    assert "BlindTooLong" in records
    assert baking.percent == 0
