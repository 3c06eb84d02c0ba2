"""A Prometheus that does not scrape every sidecar: what a part of the fleet shows proves nothing of the whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.status import Phase
from sark_e2e.simulated_target import SimulatedTarget, arm
from sark_operator.core.observation import Missing, Observation
from sark_operator.core.problems import unscraped


def test_a_sidecar_that_is_not_scraped_holds_the_step_and_is_no_blindness(baking: SimulatedTarget) -> None:
    baking.unscraped = 1
    baking.tick(1)
    bake = baking.status.bake
    baking.run(300)

    assert (baking.percent, baking.status.phase, baking.status.reason) == (25, Phase.PROGRESSING, "MetricsUnavailable")
    assert "fresh samples of 2 of 3 ready sidecars" in baking.status.message
    assert baking.status.bake is not None
    assert bake is not None
    assert baking.status.bake.proven_milliseconds == bake.proven_milliseconds
    [available] = [each for each in baking.status.conditions if each.type == "MetricsAvailable"]
    assert (available.status, available.reason) == ("False", "MetricsUnavailable")

    # And when all are seen again it goes on
    baking.unscraped = 0
    baking.run_to(50)


def test_what_the_others_show_reverts_all_the_same(baking: SimulatedTarget) -> None:
    baking.unscraped = 2
    baking.arms = {ARM_NEW: arm(1000, errors=400), ARM_BASELINE: arm()}
    baking.tick(1)
    assert baking.percent == 0


def test_a_sidecar_that_does_not_answer_is_what_the_step_waits_for(baking: SimulatedTarget) -> None:
    # Given a sidecar that has died: neither the operator nor Prometheus reach it
    baking.sidecars["gw-1"].reachable = False
    baking.unscraped = 1
    baking.tick(1)

    # Then the step waits for it, and not for metrics
    assert baking.status.reason == "SidecarsUnreachable"


@pytest.mark.parametrize("scraped", [None, 3, 4])
def test_more_than_are_ready_or_series_that_do_not_tell_hold_nothing(baking: SimulatedTarget, scraped: int | None) -> None:
    assert unscraped(baking.identity, _seen(baking, scraped)) is None


def test_an_answer_that_is_missing_holds(baking: SimulatedTarget) -> None:
    late = Missing("MetricsTimeout", "Prometheus did not answer within 5 s")
    assert unscraped(baking.identity, _seen(baking, late)) is late


def _seen(target: SimulatedTarget, scraped: int | Missing | None) -> Observation:
    seen = target.observe()
    return replace(seen, metrics=replace(seen.metrics, scraped=scraped))
