"""A new arm that fails or is slow is taken back to 0% by itself, and the object says why with numbers."""

from __future__ import annotations

import re

import pytest

from sark_api.status import Phase
from sark_e2e.admin_port import first_fault_at
from sark_e2e.example import quick
from sark_e2e.scenario import Scenario

ERRORS = (
    {"error_percent": 30},
    {"errorRate", "fallbackRate"},  # whichever is proven first: every failure of the engine is answered by the baseline
    r"(errorRate [\d.]+% > 1|fallbackRate [\d.]+% > 0\.1)[\d.]*% over 5s \([\d,]+ requests\)",
)
LATENCY = (
    {"latency_ms": 200},
    {"latencyP95"},
    r"latencyP95 [\d.]+% > 5(\.0+)?% of [\d,]+ requests over 5s took longer than [\d.]+ ms",
)


@pytest.mark.parametrize(("fault", "criteria", "numbers"), [ERRORS, LATENCY], ids=["errors", "latency"])
def test_a_breach_reverts_by_itself(scenario: Scenario, fault: dict[str, float], criteria: set[str], numbers: str):
    # Given a rollout that is being proven at 25%
    fleet = scenario.fleet()
    scenario.operator()
    traffic = scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(25, 100, bake="60s"))
    rollout.bakes(25, milliseconds=1000, seconds=60)

    # When the new arm goes bad
    fleet.inject(**fault)

    # Then it goes back to 0%, and every sidecar serves the baseline
    reverted = rollout.becomes(Phase.REVERTED, seconds=45)
    reports = scenario.serves(fleet, 0, seconds=5)
    status = reverted.status
    assert status.flags is not None
    assert status.flags.percent == 0

    # And the record names the criterion, its value and its limit
    revert = status.revert
    assert revert is not None
    assert (revert.reason, revert.from_percent) == ("CriterionBreached", 25)
    assert revert.criterion in criteria
    assert re.search(numbers, revert.message), revert.message
    assert status.message == revert.message
    assert [entry.reason for entry in status.history] == ["Started", "CriterionBreached", "BaselineRestored"]

    # And the order of events is what it must be: hurt, decided, written, served
    hurt = first_fault_at(fleet)
    assert hurt is not None
    assert hurt < revert.decided_at
    assert revert.decided_at <= max(report.since for report in reports.values())
    assert {report.revision for report in reports.values()} == {revert.revision}
    assert revert.completed_at is not None

    # And every request the engine failed was answered by the baseline
    assert traffic.stats().failures == 0

    # And it stays there, without the user's word
    rollout.stays("0%", lambda seen: seen.status.phase is Phase.REVERTED, seconds=3)


def test_a_breach_does_not_wait_for_the_next_look_where_another_rollout_sees_it(scenario: Scenario):
    # Given a rollout at 25% that looks only every five minutes, and one beside it that looks every second
    seldom, often = scenario.fleet("seldom", replicas=1), scenario.fleet("often", replicas=1)
    scenario.operator()
    scenario.traffic(seldom)
    watched = scenario.apply("seldom", seldom, quick(25, 100, bake="30m"))
    scenario.apply("often", often, quick(25, 100, bake="30m"))
    watched.bakes(25, milliseconds=8000, seconds=60)
    watched.edit({"interval": "5m", "validFor": "15m"})
    watched.until("taking up its interval", lambda seen: seen.status.observed_generation == 2, seconds=15)

    # When its new arm fails altogether
    seldom.inject(error_percent=100)

    # Then it goes back long before it would have looked again
    reverted = watched.becomes(Phase.REVERTED, seconds=60).status
    assert reverted.revert is not None
    assert reverted.revert.reason == "CriterionBreached"
    scenario.serves(seldom, 0, seconds=5)
