"""A Prometheus that does not scrape every sidecar, or others beside them: its sums prove nothing of the fleet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.status import Phase
from sark_e2e.simulated_target import SimulatedTarget, arm
from sark_operator.core.observation import Missing, Observation
from sark_operator.core.problems import unscraped, untrusted


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


def test_series_of_another_namespace_that_name_the_rollout_hold_the_step(baking: SimulatedTarget) -> None:
    # Given a target elsewhere whose good requests would be summed up with those of the fleet
    baking.foreign = ("billing", "load", "team-a", "team-b")
    baking.tick(1)
    bake = baking.status.bake
    baking.run(300)

    # Then nothing is proven, and the message says what to mend
    assert (baking.percent, baking.status.phase, baking.status.reason) == (25, Phase.PROGRESSING, "MetricsUnavailable")
    assert "of targets in namespace billing, load, team-a and 1 more" in baking.status.message
    assert baking.status.bake is not None
    assert bake is not None
    assert baking.status.bake.proven_milliseconds == bake.proven_milliseconds

    # And when it is gone the rollout goes on
    baking.foreign = ()
    baking.run_to(50)


def test_what_is_bad_beside_them_reverts_all_the_same(baking: SimulatedTarget) -> None:
    baking.foreign = ("billing",)
    baking.arms = {ARM_NEW: arm(1000, errors=400), ARM_BASELINE: arm()}
    baking.tick(1)
    assert baking.percent == 0


def test_not_knowing_who_else_names_it_holds(baking: SimulatedTarget) -> None:
    late = Missing("MetricsTimeout", "Prometheus did not answer within 5 s")
    seen = baking.observe()
    assert untrusted(baking.identity, replace(seen, metrics=replace(seen.metrics, foreign=late))) is late


def _seen(target: SimulatedTarget, scraped: int | Missing | None) -> Observation:
    seen = target.observe()
    return replace(seen, metrics=replace(seen.metrics, scraped=scraped))
