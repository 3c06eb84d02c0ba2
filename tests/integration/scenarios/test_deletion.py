"""Deleting a rollout restores the baseline first."""

from __future__ import annotations

from sark_e2e.example import quick
from sark_e2e.scenario import Scenario


def test_deletion_at_half_way_restores_the_baseline_first(scenario: Scenario):
    # Given a rollout at 50%
    fleet = scenario.fleet()
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="60s"))
    rollout.reaches(50, seconds=60)
    revision = scenario.flags(fleet).revision

    # When it is deleted, then by the time the object is gone the flags ask for the baseline
    rollout.delete()
    rollout.vanishes(seconds=30)
    flags = scenario.flags(fleet)
    assert flags.percentage == 0
    assert not flags.feature_flags.rust_opa_enabled
    assert flags.revision > revision

    # And every sidecar serves it
    reports = scenario.serves(fleet, 0, seconds=5)
    assert {report.revision for report in reports.values()} == {flags.revision}
