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


def test_nothing_starts_before_all_are_seen(target: SimulatedTarget) -> None:
    target.unscraped = 1
    target.run(30)
    assert target.status.phase is Phase.PENDING
    target.unscraped = 0
    target.run_to(5)


@pytest.mark.parametrize("scraped", [None, 3, 4])
def test_more_than_are_ready_or_series_that_do_not_tell_hold_nothing(target: SimulatedTarget, scraped: int | None) -> None:
    assert unscraped(_seen(target, scraped)) is None


def test_an_answer_that_is_missing_holds(target: SimulatedTarget) -> None:
    late = Missing("MetricsTimeout", "Prometheus did not answer within 5 s")
    assert unscraped(_seen(target, late)) is late


def _seen(target: SimulatedTarget, scraped: int | Missing | None) -> Observation:
    seen = target.observe()
    return replace(seen, metrics=replace(seen.metrics, scraped=scraped))
