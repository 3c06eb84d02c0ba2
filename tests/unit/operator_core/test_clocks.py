"""A Prometheus whose clock is not the operator's: nothing good is proven by it, and nothing bad is hidden."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.status import Phase
from sark_e2e.simulated_target import SimulatedTarget, arm

MINUTES = timedelta(minutes=5)
APART = pytest.mark.parametrize(("behind", "said"), [(-MINUTES, "5m ahead of"), (MINUTES, "5m behind")])


def set_apart(target: SimulatedTarget, behind: timedelta) -> None:
    target.clock_behind, target.clock_ahead = max(behind, timedelta(0)), max(-behind, timedelta(0))


@APART
def test_minutes_hold_the_step_by_name_and_are_no_blindness(baking: SimulatedTarget, behind: timedelta, said: str) -> None:
    set_apart(baking, behind)
    baking.tick(1)
    bake = baking.status.bake
    baking.run(50)

    assert (baking.percent, baking.status.phase, baking.status.reason) == (25, Phase.PROGRESSING, "MetricsUnavailable")
    assert f"Prometheus' clock is {said} the operator's, and may be 30s: set both clocks right" in baking.status.message
    assert baking.status.bake is not None
    assert bake is not None
    assert baking.status.bake.proven_milliseconds == bake.proven_milliseconds
    assert baking.status.blind_since is None
    [available] = [each for each in baking.status.conditions if each.type == "MetricsAvailable"]
    assert (available.status, available.reason) == ("False", "MetricsUnavailable")
    assert said in available.message

    # And when they agree it goes on
    set_apart(baking, timedelta(0))
    baking.run_to(50)


@APART
def test_nothing_begins_by_it(target: SimulatedTarget, behind: timedelta, said: str) -> None:
    set_apart(target, behind)
    target.run(30)
    assert (target.percent, target.status.phase) == (0, Phase.PENDING)
    assert said in target.status.message


@APART
def test_a_catastrophe_reverts_all_the_same(baking: SimulatedTarget, behind: timedelta, said: str) -> None:
    set_apart(baking, behind)
    baking.run(4)
    assert said in baking.status.message
    baking.arms = {ARM_NEW: arm(1000, errors=400), ARM_BASELINE: arm()}
    baking.tick(1)
    assert baking.percent == 0


@pytest.mark.parametrize("behind", [-30.0, 30.0])
def test_half_a_minute_holds_nothing(baking: SimulatedTarget, behind: float) -> None:
    set_apart(baking, timedelta(seconds=behind))
    baking.run_to(50)
