"""An operator that dies at the worst moments: its next start goes on, and nothing is lost, doubled or left."""

from __future__ import annotations

import contextlib
import signal

import pytest

from sark_api.status import Phase
from sark_e2e.applied_rollout import proven_milliseconds
from sark_e2e.cluster import LocalCluster
from sark_e2e.deadline import eventually
from sark_e2e.example import quick
from sark_e2e.faults.api_proxy import ApiProxy
from sark_e2e.kept_running import KeptRunning
from sark_e2e.ledger import broken_promises, documents
from sark_e2e.operator import Operator
from sark_e2e.scenario import Scenario
from sark_operator.shell.leadership import LEASE_LOST_STATUS

from .conftest import each

Moment = tuple[dict[str, str], str]
LONG = pytest.mark.long


def flags(percent: int) -> dict[str, str]:
    """The write that puts a share in force."""
    return {"method": "PATCH", "path": r"/configmaps/", "body": rf"rollout_percentage\D+{percent}\b"}


def status(text: str) -> dict[str, str]:
    """The write that stores a transition."""
    return {"method": "PUT", "path": r"/sarkrollouts/[^/]+/status", "body": text}


STARTED, ADVANCED, COMPLETED = (status(rf'"reason": ?"{reason}"') for reason in ("Started", "Advanced", "Completed"))
RESTORED, RETRIED, RAISED = (status(rf'"reason": ?"{reason}"') for reason in ("BaselineRestored", "Retried", "AttemptRaised"))
WAYS_BACK = ("CriterionBreached", "BlindTooLong", "ApprovalMissed", "RevertAdopted")
CAUSES = {
    "a breach while paused": "CriterionBreached",
    "a breach after completion": "CriterionBreached",
    "blind for too long": "BlindTooLong",
    "an approval that did not come": "ApprovalMissed",
}
REVERTING = status(rf'"reason": ?"({"|".join(WAYS_BACK)})"')

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
    "before and after it": ([(flags(0), BEFORE), (REVERTING, AFTER)], {"CriterionBreached"}),
    "between flags and status, and at its end": (
        [
            (flags(0), AFTER),  # in force, and no reason yet
            (RESTORED, BEFORE),
            (RESTORED, AFTER),
        ],
        {"CriterionBreached", "RevertAdopted"},  # by whether the errors are in the window still when the next one looks
    ),
}
"""Where it dies, and for which reason it may say that it has gone back."""
FINALIZER = {"method": "PATCH", "path": r"/sarkrollouts/[^/]+(\?|$)", "body": r"\"remove\".*finalizers|finalizers.*\"remove\""}


class Death:
    """The end of an operator at one moment: at the request that a fault is meant for."""

    def __init__(self, proxy: ApiProxy, operator: Operator, write: dict[str, str], moment: str) -> None:
        self._operator = operator
        self._fault = proxy.inject(**write, **{moment: self._strike}, drop_request=moment == BEFORE, times=1)
        self._moment = f"{moment} {write['body']}"
        self.struck = False
        """Whether it ran. Where everything is slow it may ask twice, and be dead already when the second request is met."""

    def _strike(self) -> None:
        self.struck = self._operator.running
        self._operator.kill()

    @property
    def met(self) -> bool:
        """Whether its moment has come."""
        return self._fault.met == 1

    def __str__(self) -> str:
        return f"{self._moment}: " + ("struck" if self.struck else "met" if self.met else "not met")


def dying_at(proxy: ApiProxy, operator: Operator, moments: list[Moment]) -> list[Death]:
    """Let the operator die at each moment; what it was about to ask for before it died is never asked."""
    return [Death(proxy, operator, write, moment) for write, moment in moments]


def died(keeper: KeptRunning, deaths: list[Death]) -> None:
    """Wait until each moment has come, and the operator has ended for it.

    It may have ended more often: one whose Lease was not renewed in time, because the machine stood still, ends by itself.
    """

    def over() -> bool:
        return all(death.met for death in deaths) and len(keeper.ends) >= sum(death.struck for death in deaths)

    try:
        eventually(over, what="deaths", seconds=60)
    except TimeoutError as error:
        told = "; ".join(map(str, deaths))
        raise AssertionError(f"{told}; ended with {keeper.ends}") from error
    assert sum(death.struck for death in deaths) >= len(deaths) - 1, "; ".join(map(str, deaths))
    assert set(keeper.ends) <= {-signal.SIGKILL, LEASE_LOST_STATUS}, "the operator ended by itself"


@pytest.mark.timeout(400)
@pytest.mark.parametrize("moments", each(WAY_ON, long="of the start"))
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
@pytest.mark.parametrize("case", each(WAY_BACK, long="before and after it"))
def test_in_a_revert(scenario: Scenario, case: tuple[list[Moment], set[str]]):
    # Given a rollout at 50%, and an operator that will die at moments of a revert
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="300s"))
    rollout.bakes(50, milliseconds=1000, seconds=60)
    moments, expected = case
    deaths = dying_at(proxy, operator, moments)

    # When the new arm goes bad
    with KeptRunning(operator) as keeper:
        fleet.inject(error_percent=40)
        rollout.becomes(Phase.REVERTED, seconds=180)
        died(keeper, deaths)

    # Then the baseline is reached, by one revert with one reason
    scenario.serves(fleet, 0, seconds=5)
    reverted = rollout.read()
    revert = reverted.status.revert
    assert revert is not None
    assert [entry.reason for entry in reverted.status.history] == ["Started", revert.reason, "BaselineRestored"]
    assert revert.reason in expected
    assert revert.from_percent == 50
    assert revert.criterion in ({"errorRate", "fallbackRate"} if revert.reason == "CriterionBreached" else {""})
    assert broken_promises(proxy.journal) == []


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "cause",
    [
        "a breach while paused",
        pytest.param("a breach after completion", marks=LONG),
        pytest.param("blind for too long", marks=LONG),
        pytest.param("an approval that did not come", marks=LONG),
    ],
)
def test_in_a_revert_that_begins_with(cluster: LocalCluster, scenario: Scenario, cause: str):
    # Given a rollout where it can go back for that cause
    edits = {**quick(50, 100), "validFor": "5m"}
    if cause == "blind for too long":
        edits = {**quick(50, 100, bake="10m"), "validFor": "5m", "rollback": {"blindFor": "8s"}}
    elif cause == "an approval that did not come":
        edits["steps"][1]["approval"] = "Required"
        edits["approvals"] = {"expireAfter": "10s", "onExpiry": "Revert"}
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, edits)
    rollout.bakes(50, milliseconds=1000, seconds=60)
    if cause == "a breach while paused":
        rollout.edit({"mode": "Paused"})
        rollout.becomes(Phase.PAUSED, seconds=20)
    elif cause == "a breach after completion":
        rollout.becomes(Phase.COMPLETED, seconds=90)
    before = rollout.read()

    # When the cause comes, and the operator dies between flags and status, and with both written
    deaths = dying_at(proxy, operator, [(flags(0), AFTER), (REVERTING, AFTER)])
    with KeptRunning(operator) as keeper, contextlib.ExitStack() as mending:
        if cause == "blind for too long":
            mending.callback(cluster.prometheus.start)
            cluster.prometheus.stop()
        elif cause != "an approval that did not come":
            fleet.inject(error_percent=40)
        reverted = rollout.until("phase Reverted", lambda seen: seen.status.phase is Phase.REVERTED, seconds=180)
        died(keeper, deaths)

    # Then the baseline is reached, by one revert with one reason, and what was there before is there still
    scenario.serves(fleet, 0, seconds=5)
    assert reverted.status.revert is not None
    assert reverted.status.revert.from_percent == (100 if cause == "a breach after completion" else 50)
    why = [entry.reason for entry in reverted.status.history]
    assert why[-1] == "BaselineRestored"
    assert why[-2] in {CAUSES[cause], "RevertAdopted"}
    assert [reason for reason in why if reason in WAYS_BACK] == why[-2:-1]
    assert reverted.status.history[: len(before.status.history)] == before.status.history
    percents = [document.percentage for document in documents(proxy.journal)]
    assert set(percents[percents.index(0) :]) == {0}
    assert broken_promises(proxy.journal) == []


@pytest.mark.long
@pytest.mark.timeout(600)
def test_at_a_new_attempt(scenario: Scenario):
    # Given a rollout that may try once more, and has gone back
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    edits = {**quick(50, 100, bake="1h"), "validFor": "5m", "rollback": {"retry": {"limit": 1, "after": "15s"}}}
    rollout = scenario.apply("gateway", fleet, edits)

    def goes_back(retries: int) -> None:
        """Let the new arm fail until the baseline is restored."""
        rollout.bakes(50, milliseconds=1000, seconds=60)
        fleet.inject(error_percent=40)
        rollout.becomes(Phase.REVERTED, seconds=60)
        fleet.inject()
        assert rollout.read().status.retries == retries

    def begins_again(reason: str) -> None:
        """Wait until it has, and is being proven."""
        begun = [reason, "Started"]
        rollout.until(reason, lambda seen: [entry.reason for entry in seen.status.history][-2:] == begun, seconds=120)
        rollout.bakes(50, milliseconds=1000, seconds=90)

    first, second = ["Started", "CriterionBreached", "BaselineRestored"], ["Retried", "Started"]
    goes_back(0)
    with KeptRunning(operator) as keeper:
        # When it tries again, and the operator dies before and after that is stored, and with the flags written
        retried = dying_at(proxy, operator, [(RETRIED, BEFORE), (RETRIED, AFTER), (flags(50), AFTER)])
        begins_again("Retried")
        died(keeper, retried)

        # Then it has tried once, and what was taken back before is told once
        seen = rollout.read().status
        assert ([entry.reason for entry in seen.history], seen.retries) == ([*first, *second], 1)

        # And when it goes back again, and the user raises the attempt, and the operator dies in the same way
        goes_back(1)
        raised = dying_at(proxy, operator, [(RAISED, BEFORE), (RAISED, AFTER), (flags(50), AFTER)])
        rollout.edit({"attempt": 2})
        begins_again("AttemptRaised")
        died(keeper, [*retried, *raised])

    # Then the second attempt has begun once, with its retries untouched
    seen = rollout.read().status
    assert ([entry.reason for entry in seen.history], seen.attempt, seen.retries) == (
        [*first, *second, *first[1:], "AttemptRaised", "Started"],
        2,
        0,
    )
    scenario.serves(fleet, 50, seconds=10)
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


@pytest.mark.long
@pytest.mark.timeout(600)
def test_at_what_the_user_requests(scenario: Scenario):
    # Given a rollout at 25% that would bake for long, and whose next step needs an approval
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    edits = {**quick(25, 50, 75, 100, bake="1h"), "validFor": "5m"}
    edits["steps"][1]["approval"] = "Required"
    rollout = scenario.apply("gateway", fleet, edits)
    rollout.bakes(25, milliseconds=1000, seconds=60)
    deaths: list[Death] = []

    def dies_at(*moments: Moment) -> None:
        deaths.extend(dying_at(proxy, operator, list(moments)))

    def asks(number: int, action: str, percent: int, **more: int) -> None:
        rollout.edit({"request": {"id": number, "action": action, "attempt": 1, "percent": percent, "by": "ann", **more}})

    with KeptRunning(operator) as keeper:
        # When the next step is approved, and the operator dies before and after it has stored that
        dies_at((status('"StepApproved"'), BEFORE), (status('"StepApproved"'), AFTER))
        asks(1, "Approve", 50)
        rollout.until("the approval", lambda seen: len(seen.status.approvals) == 1, seconds=90)
        died(keeper, deaths)

        # And it is promoted, and the operator dies with the flags of the next step written besides
        dies_at((status('"Promoted"'), BEFORE), (status('"Promoted"'), AFTER), (flags(50), AFTER))
        asks(2, "Promote", 25)
        rollout.bakes(50, milliseconds=1000, seconds=120)
        died(keeper, deaths)

        # And a step is skipped, and the operator dies in the same way
        dies_at((status('"StepsSkipped"'), BEFORE), (status('"StepsSkipped"'), AFTER), (flags(100), AFTER))
        asks(3, "Skip", 50, to=100)
        rollout.bakes(100, milliseconds=1000, seconds=120)
        died(keeper, deaths)

    # Then each request was answered once, the approval was used up, and no step began that nobody asked for
    seen = rollout.read().status
    reasons = [entry.reason for entry in seen.history]
    assert reasons == ["Started", "StepApproved", "Promoted", "Advanced", "StepsSkipped", "Advanced"]
    assert seen.approvals == []
    assert seen.request is not None
    assert (seen.request.id, seen.request.granted) == (3, True)
    percents = [document.percentage for document in documents(proxy.journal)]
    assert set(percents) <= {0, 25, 50, 100}
    assert percents == sorted(percents)
    scenario.serves(fleet, 100, seconds=10)
    assert broken_promises(proxy.journal) == []
