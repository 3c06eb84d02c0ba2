"""An operator that dies at the worst moments: its next start goes on, and nothing is lost, doubled or left."""

from __future__ import annotations

import pytest

from sark_api.status import Phase
from sark_e2e.applied_rollout import proven_milliseconds
from sark_e2e.deadline import eventually
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
        (COMPLETED, AFTER),
    ],
}
WAY_BACK = {
    "before and after it": [(flags(0), BEFORE), (REVERTING, AFTER)],
    "between flags and status, and at its end": [
        (flags(0), AFTER),  # in force, and no reason yet
        (RESTORED, BEFORE),
        (RESTORED, AFTER),
    ],
}
FINALIZER = {"method": "PATCH", "path": r"/sarkrollouts/[^/]+(\?|$)", "body": r"\"remove\".*finalizers|finalizers.*\"remove\""}


def dying_at(proxy: ApiProxy, operator: Operator, moments: list[Moment]) -> list[Fault]:
    """Let the operator die at each moment; what it was about to ask for before it died is never asked."""
    return [
        proxy.inject(**write, **{moment: operator.kill}, drop_request=moment == BEFORE, times=1) for write, moment in moments
    ]


def died(keeper: KeptRunning, deaths: list[Fault]) -> None:
    """Wait until the operator has died at each of its moments."""
    eventually(lambda: len(keeper.ends) == len(deaths), what=f"{len(deaths)} deaths", seconds=60)
    assert [death.met for death in deaths] == [1] * len(deaths)


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
        rollout.becomes(Phase.COMPLETED, seconds=240)
        died(keeper, deaths)

    # Then it comes to its end, each transition once, each proven
    assert [entry.reason for entry in rollout.read().status.history] == ["Started", "Advanced", "Completed"]
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
        rollout.becomes(Phase.REVERTED, seconds=180)
        died(keeper, deaths)

    # Then the baseline is reached, by one revert with one reason
    scenario.serves(fleet, 0, seconds=5)
    reverted = rollout.read()
    why = [entry.reason for entry in reverted.status.history]
    assert why in (["Started", "CriterionBreached", "BaselineRestored"], ["Started", "RevertAdopted", "BaselineRestored"])
    assert reverted.status.revert is not None
    assert reverted.status.revert.from_percent == 50
    assert broken_promises(proxy.journal) == []


@pytest.mark.long
@pytest.mark.timeout(500)
def test_at_what_the_user_asks(scenario: Scenario):
    # Given a rollout at 50% that has begun to bake
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="1h"), "validFor": "5m"})
    rollout.bakes(50, milliseconds=1000, seconds=60)

    with KeptRunning(operator) as keeper:
        # When it is paused and resumed, and the operator dies before and after it has stored each
        paused = dying_at(proxy, operator, [(status(r'"PausedByUser"'), BEFORE), (status(r'"PausedByUser"'), AFTER)])
        rollout.edit({"mode": "Paused"})
        rollout.becomes(Phase.PAUSED, seconds=60)
        died(keeper, paused)
        resumed = dying_at(proxy, operator, [(status(r'"ResumedByUser"'), BEFORE), (status(r'"ResumedByUser"'), AFTER)])
        rollout.edit({"mode": "Auto"})
        rollout.becomes(Phase.PROGRESSING, seconds=60)
        died(keeper, [*paused, *resumed])

        # Then it goes on with what was proven, each told once
        proven = proven_milliseconds(rollout.read())
        assert proven >= 1000
        rollout.bakes(50, milliseconds=proven + 1000, seconds=90)
        reasons = [entry.reason for entry in rollout.read().status.history]
        assert reasons == ["Started", "PausedByUser", "ResumedByUser"]

        # And when it is deleted, and the operator dies with the flags written, and before and after it lets the object go
        deaths = [*paused, *resumed]
        deaths += dying_at(proxy, operator, [(flags(0), AFTER), (FINALIZER, BEFORE), (FINALIZER, AFTER)])
        rollout.delete()
        rollout.vanishes(seconds=180)
        died(keeper, deaths)

    # Then the baseline was restored first, for one reason
    scenario.serves(fleet, 0, seconds=10)
    assert scenario.flags(fleet).percentage == 0
    assert broken_promises(proxy.journal) == []
    ended = [entry.reason for entry in scenario.books.account("gateway").states[-1].status.history]
    assert ended[:3] == reasons
    assert ended[3:] in (["RevertAdopted", "BaselineRestored"], ["RolloutDeleted", "BaselineRestored"])
