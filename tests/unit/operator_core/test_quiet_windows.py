"""Counting windows that stop coming: what one look shows is no proof, however often it is looked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Step
from sark_api.status import Phase
from sark_e2e.simulated_target import SimulatedTarget, arm
from sark_operator.core.observation import Missing

LATE = Missing("MetricsTimeout", "Prometheus did not answer within 5 s")
LONGEST = 10 + 4 + 60
"""Window of the simulated target, four counting windows, and a minute."""


@pytest.fixture
def quiet(target: SimulatedTarget) -> SimulatedTarget:
    """A rollout that is well at 5 % by all that one look shows, and whose ranges cannot be read any more."""
    target.ask(steps=[Step(percent=5, bake=timedelta(minutes=5)), Step(percent=100, bake=timedelta(minutes=5))])
    target.run_to(5)
    target.run(10)
    target.windows_missing = LATE
    return target


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
