"""An operator that dies at the worst moments: its next start goes on, and nothing is lost, doubled or left."""

from __future__ import annotations

import pytest

from sark_api.status import Phase
from sark_e2e.example import quick
from sark_e2e.faults.api_proxy import ApiProxy, Fault
from sark_e2e.kept_running import KeptRunning
from sark_e2e.ledger import broken_promises
from sark_e2e.operator import Operator
from sark_e2e.scenario import Scenario

Moment = tuple[dict[str, str], str]


def flags(percent: int) -> dict[str, str]:
    """The write that puts a share in force."""
    return {"method": "PATCH", "path": r"/configmaps/", "body": rf"rollout_percentage\D+{percent}\b"}


def status(text: str) -> dict[str, str]:
    """The write that stores a transition."""
    return {"method": "PUT", "path": r"/sarkrollouts/[^/]+/status", "body": text}


STARTED, ADVANCED, COMPLETED = (status(rf'"reason": ?"{reason}"') for reason in ("Started", "Advanced", "Completed"))
REVERTING, RESTORED = (status(rf'"reason": ?"{reason}"') for reason in ("CriterionBreached|RevertAdopted", "BaselineRestored"))

BEFORE, AFTER = "before", "after"
WAY_ON = {
    "of the start": [
        (STARTED, BEFORE),
        (STARTED, AFTER),  # stored, and no flags yet
        (flags(50), AFTER),
    ],
    "of the advance and the completion": [
        (ADVANCED, AFTER),  # stored, and no flags yet
        (flags(100), AFTER),
        (COMPLETED, BEFORE),
    ],
}
WAY_BACK = {
    "before and after it": [(flags(0), BEFORE), (REVERTING, AFTER)],
    "between flags and status, and before its end": [(flags(0), AFTER), (RESTORED, BEFORE)],  # in force, and no reason yet
}


def dying_at(proxy: ApiProxy, operator: Operator, moments: list[Moment]) -> list[Fault]:
    """Let the operator die at each moment; what it was about to ask for before it died is never asked."""
    return [
        proxy.inject(**write, **{moment: operator.kill}, drop_request=moment == BEFORE, times=1) for write, moment in moments
    ]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("moments", WAY_ON.values(), ids=WAY_ON.keys())
def test_at_the_boundaries(scenario: Scenario, moments: list[Moment]):
    # Given an operator that will die once at each moment
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    deaths = dying_at(proxy, operator, moments)

    # When a rollout goes its way
    with KeptRunning(operator) as keeper:
        rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="6s"))
        done = rollout.becomes(Phase.COMPLETED, seconds=240)

    # Then it comes to its end, each transition once, each proven
    assert ([death.met for death in deaths], len(keeper.ends)) == ([1] * len(moments), len(moments))
    assert [entry.reason for entry in done.status.history] == ["Started", "Advanced", "Completed"]
    assert broken_promises(proxy.journal) == []
    scenario.serves(fleet, 100, seconds=10)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("moments", WAY_BACK.values(), ids=WAY_BACK.keys())
def test_in_a_revert(scenario: Scenario, moments: list[Moment]):
    # Given a rollout at 50%, and an operator that will die at moments of a revert
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="300s"))
    rollout.bakes(50, milliseconds=1000, seconds=60)
    deaths = dying_at(proxy, operator, moments)

    # When the new arm goes bad
    with KeptRunning(operator) as keeper:
        fleet.inject(error_percent=40)
        reverted = rollout.becomes(Phase.REVERTED, seconds=180)

    # Then the baseline is reached, by one revert with one reason
    assert ([death.met for death in deaths], len(keeper.ends)) == ([1] * len(moments), len(moments))
    scenario.serves(fleet, 0, seconds=5)
    why = [entry.reason for entry in reverted.status.history]
    assert why in (["Started", "CriterionBreached", "BaselineRestored"], ["Started", "RevertAdopted", "BaselineRestored"])
    assert reverted.status.revert is not None
    assert reverted.status.revert.from_percent == 50
    assert broken_promises(proxy.journal) == []
