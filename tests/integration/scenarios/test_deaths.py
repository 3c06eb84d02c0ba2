"""An operator that dies at the worst moments: its next start goes on, and nothing is lost, doubled or left."""

from __future__ import annotations

from typing import Any

import pytest

from sark_api.status import Phase
from sark_e2e.example import quick
from sark_e2e.kept_running import KeptRunning
from sark_e2e.ledger import broken_promises
from sark_e2e.scenario import Scenario


def flags(percent: int) -> dict[str, str]:
    """The write that puts a share in force."""
    return {"method": "PATCH", "path": r"/configmaps/", "body": rf"rollout_percentage\D+{percent}\b"}


def status(text: str) -> dict[str, str]:
    """The write that stores a transition."""
    return {"method": "PUT", "path": r"/sarkrollouts/[^/]+/status", "body": text}


STARTED, ADVANCED, COMPLETED = (status(rf'"reason": ?"{reason}"') for reason in ("Started", "Advanced", "Completed"))
REVERTING, RESTORED = (status(rf'"reason": ?"{reason}"') for reason in ("CriterionBreached|RevertAdopted", "BaselineRestored"))

WAY_ON = {
    "before the start is stored": (STARTED, "before"),
    "between the start's status and its flags": (STARTED, "after"),
    "after the start's flags": (flags(50), "after"),
    "between the advance's status and its flags": (ADVANCED, "after"),
    "after the advance's flags": (flags(100), "after"),
    "before the completion is stored": (COMPLETED, "before"),
}
WAY_BACK = {
    "before the revert's flags": (flags(0), "before"),
    "between the revert's flags and its status": (flags(0), "after"),
    "after the revert's status": (REVERTING, "after"),
    "before the end of the revert is stored": (RESTORED, "before"),
}


@pytest.mark.parametrize(("write", "moment"), WAY_ON.values(), ids=WAY_ON.keys())
def test_on_the_way_on(scenario: Scenario, write: dict[str, Any], moment: str):
    # Given an operator that will die at one moment
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    death = proxy.inject(**write, **{moment: operator.kill}, drop_request=moment == "before", times=1)

    # When a rollout goes its way
    with KeptRunning(operator) as keeper:
        rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="6s"))
        done = rollout.becomes(Phase.COMPLETED, seconds=150)

    # Then it comes to its end, each transition once, each proven
    assert (death.met, len(keeper.ends)) == (1, 1)
    assert [entry.reason for entry in done.status.history] == ["Started", "Advanced", "Completed"]
    assert broken_promises(proxy.journal) == []
    scenario.serves(fleet, 100, seconds=10)


@pytest.mark.parametrize(("write", "moment"), WAY_BACK.values(), ids=WAY_BACK.keys())
def test_on_the_way_back(scenario: Scenario, write: dict[str, Any], moment: str):
    # Given a rollout at 50%, and an operator that will die at one moment of a revert
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="300s"))
    rollout.bakes(50, milliseconds=1000, seconds=60)
    death = proxy.inject(**write, **{moment: operator.kill}, drop_request=moment == "before", times=1)

    # When the new arm goes bad
    with KeptRunning(operator) as keeper:
        fleet.inject(error_percent=40)
        reverted = rollout.becomes(Phase.REVERTED, seconds=120)

    # Then the baseline is reached, by one revert with one reason
    assert (death.met, len(keeper.ends)) == (1, 1)
    scenario.serves(fleet, 0, seconds=5)
    why = [entry.reason for entry in reverted.status.history]
    assert why in (["Started", "CriterionBreached", "BaselineRestored"], ["Started", "RevertAdopted", "BaselineRestored"])
    assert reverted.status.revert is not None
    assert reverted.status.revert.from_percent == 50
    assert broken_promises(proxy.journal) == []
