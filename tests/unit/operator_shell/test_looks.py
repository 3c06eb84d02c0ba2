"""What is decided on: all that can be seen, or a glimpse where there is a breach in sight and the rest is long in coming."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from sark_api import reasons
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Mode
from sark_e2e.simulated_target import SimulatedTarget, arm
from sark_operator.core.decide import decide
from sark_operator.core.decision import goes_back_for_a_breach
from sark_operator.core.observation import ArmWindow, Metrics, Missing, Observation
from sark_operator.shell import standing
from sark_operator.shell.api import RolloutObject, StaleVersionError
from sark_operator.shell.looks import Conclusion, Looks
from sark_operator.shell.standing import Standing

pytestmark = pytest.mark.asyncio

HEALTHY = {ARM_NEW: arm(), ARM_BASELINE: arm()}
FAILING = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}
LATE = Missing(reasons.METRICS_TIMEOUT.name, "not waited for")


@dataclass
class Sight:
    """A rollout at 25 %, and what is to be seen of it: at a glimpse at once, and all of it when it has come."""

    target: SimulatedTarget
    glimpses: list[Mapping[str, ArmWindow]]
    """What the arms did, glimpse for glimpse; the one after the last never ends."""
    come: asyncio.Event = field(default_factory=asyncio.Event)
    glimpsed: int = 0
    failure: Exception | None = None
    """What comes of a glimpse."""
    stumbles: bool = False
    """Whether nothing can be decided on a part."""
    ended: list[str] = field(default_factory=list)
    """What was given up."""
    standing: Standing = field(default_factory=Standing)
    concluded: list[str] = field(default_factory=list)
    """What was decided on."""

    def __post_init__(self) -> None:
        self.looks = Looks(self)

    async def observe(self, *_: object) -> Observation:
        try:
            await self.come.wait()
        except asyncio.CancelledError:
            self.ended.append("look")
            raise
        return self.target.observe()

    async def glimpse(self, *_: object) -> Observation:
        self.glimpsed += 1
        if self.failure is not None:
            raise self.failure
        try:
            if self.glimpsed > len(self.glimpses):
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ended.append("glimpse")
            raise
        whole = self.target.observe()
        return replace(whole, metrics=partial(whole.metrics, self.glimpses[self.glimpsed - 1]))

    def conclude(self, seen: Observation) -> Conclusion:
        target = self.target
        self.concluded.append("part" if seen.metrics.memory is LATE else "all")
        if self.stumbles and self.concluded[-1] == "part":
            raise ZeroDivisionError
        return Conclusion(decide(target.identity, target.spec, target.status, seen, target.now), target.now, 0.0)

    def begin(self, *, urgent: bool) -> asyncio.Task[Conclusion]:
        """Begin an evaluation."""
        rollout = RolloutObject({"metadata": {"namespace": "shop", "name": "gateway", "uid": "uid-1"}, "spec": {}})
        self.standing.set(urgent=urgent)

        async def evaluate() -> Conclusion:
            standing.adopt(self.standing)
            return await self.looks.conclusion(rollout, self.target.spec, self.target.status, self.conclude)

        return asyncio.create_task(evaluate())


def partial(whole: Metrics, arms: Mapping[str, ArmWindow]) -> Metrics:
    return replace(whole, arms=arms, memory=LATE, windows=LATE)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sark_operator.shell.looks.PATIENCE_SECONDS", 0.01)


def sight(*glimpses: Mapping[str, ArmWindow]) -> Sight:
    target = SimulatedTarget()
    target.run_to(25)
    target.run(3)
    return Sight(target, list(glimpses))


async def settle() -> None:
    """Let everything happen that is not waiting for the test."""
    await asyncio.sleep(0.1)


def reasons_of(conclusion: Conclusion) -> list[str]:
    return [record.reason for record in conclusion.decision.records]


async def test_what_is_only_due_waits_for_all_that_can_be_seen() -> None:
    around = sight(FAILING)
    evaluation = around.begin(urgent=False)
    await settle()
    assert not evaluation.done()

    around.come.set()
    assert reasons_of(await evaluation) == []
    assert (around.glimpsed, around.concluded) == (0, ["all"])


async def test_what_is_urgent_waits_for_all_where_that_comes_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sark_operator.shell.looks.PATIENCE_SECONDS", 60.0)
    around = sight(FAILING)
    around.target.arms = FAILING
    evaluation = around.begin(urgent=True)
    await settle()
    around.come.set()

    assert reasons_of(await evaluation) == ["CriterionBreached"]
    assert (around.glimpsed, around.concluded) == (0, ["all"])


@pytest.mark.parametrize("later", [False, True], ids=["urgent from the beginning", "urgent while it waits"])
async def test_a_breach_that_a_glimpse_shows_waits_for_nothing_else(later: bool) -> None:
    # Given an evaluation that waits for answers that do not come
    around = sight(FAILING)
    evaluation = around.begin(urgent=not later)
    if later:
        await settle()
        assert not evaluation.done()
        around.standing.set(urgent=True)

    # When it is urgent, then it goes back by what is seen at a glimpse
    conclusion = await asyncio.wait_for(evaluation, 5)
    assert reasons_of(conclusion) == ["CriterionBreached"]
    # And what was not waited for is on record as not seen, not as good
    memory = next(one for one in conclusion.decision.status.criteria if one.name == "memoryGrowth")
    assert (memory.verdict, memory.message) == ("Unknown", "memoryGrowth Unknown: not waited for")
    await settle()
    assert around.ended == ["look"]
    assert not around.looks._under_way


async def test_nothing_is_decided_on_a_glimpse_without_a_breach() -> None:
    # Given a rollout that has not been seen for nearly as long as it may be
    around = sight({})
    blind_for = around.target.spec.rollback.blind_for
    assert blind_for
    around.target.status = around.target.status.model_copy(
        update={"blind_since": around.target.now - blind_for - timedelta(seconds=1)}
    )

    # When a glimpse shows nothing either
    evaluation = around.begin(urgent=True)
    await settle()
    assert around.concluded == ["part"]

    # Then that takes nothing back: all is waited for, and decided on
    assert not evaluation.done()
    around.come.set()
    conclusion = await evaluation
    assert reasons_of(conclusion) == []
    assert conclusion.decision.status.blind_since is None


async def test_each_time_it_becomes_urgent_it_looks_again() -> None:
    # Given a glimpse that was too early
    around = sight(HEALTHY, FAILING)
    evaluation = around.begin(urgent=True)
    await settle()
    assert (around.glimpsed, evaluation.done()) == (1, False)

    around.standing.set(urgent=True)

    assert reasons_of(await asyncio.wait_for(evaluation, 5)) == ["CriterionBreached"]


async def test_what_comes_while_a_glimpse_is_taken_is_decided_on() -> None:
    around = sight()
    evaluation = around.begin(urgent=True)
    await settle()
    assert around.glimpsed == 1
    around.come.set()

    assert reasons_of(await asyncio.wait_for(evaluation, 5)) == []
    await settle()
    assert (around.ended, around.concluded) == (["glimpse"], ["all"])


@pytest.mark.parametrize("where", ["glimpse", "conclude"])
async def test_a_glimpse_that_fails_keeps_nobody_from_being_decided_on(where: str) -> None:
    # Given a fault of ours in what is only done for a glimpse
    around = sight(FAILING)
    around.failure = RuntimeError("a fault") if where == "glimpse" else None
    around.stumbles = where == "conclude"
    around.target.arms = FAILING
    evaluation = around.begin(urgent=True)
    await settle()
    assert (around.glimpsed, evaluation.done(), around.ended) == (1, False, [])

    # When all has come, then that is decided on
    around.come.set()
    assert reasons_of(await asyncio.wait_for(evaluation, 5)) == ["CriterionBreached"]


@pytest.mark.parametrize(
    ("change", "breach"),
    [
        (lambda target: setattr(target, "arms", FAILING), True),
        (lambda target: target.ask(mode=Mode.ROLLBACK), False),
        (lambda target: target.delete(), False),
        (lambda target: setattr(target, "arms", HEALTHY), False),
    ],
    ids=["breach", "rollback by the user", "deletion", "nothing"],
)
async def test_what_goes_back_for_a_breach_is_told_from_what_goes_back_for_anything_else(
    change: Callable[[SimulatedTarget], None], breach: bool
) -> None:
    around = sight()
    change(around.target)
    conclusion = around.conclude(around.target.observe())
    assert goes_back_for_a_breach(conclusion.decision) is breach


async def test_an_evaluation_that_is_ended_looks_no_longer() -> None:
    around = sight()
    evaluation = around.begin(urgent=True)
    await settle()

    evaluation.cancel()
    with pytest.raises(asyncio.CancelledError):
        await evaluation
    await settle()
    assert sorted(around.ended) == ["glimpse", "look"]


@pytest.mark.parametrize("urgent", [False, True])
async def test_a_look_begins_anew_for_a_user_who_asks_for_the_baseline(urgent: bool) -> None:
    around = sight()
    evaluation = around.begin(urgent=urgent)
    await settle()

    around.looks.begin_anew("uid-1")

    with pytest.raises(StaleVersionError, match="its user asks for the baseline"):
        await asyncio.wait_for(evaluation, 5)
    around.looks.begin_anew("uid-1")  # none is under way, and that is no fault


async def test_who_asks_for_the_baseline_takes_no_glimpse() -> None:
    around = sight(FAILING)
    around.target.ask(mode=Mode.ROLLBACK)
    rollout = RolloutObject(
        {"metadata": {"namespace": "shop", "name": "gateway", "uid": "uid-1"}, "spec": {"mode": "Rollback"}}
    )
    around.standing.set(urgent=True)
    standing.adopt(around.standing)
    evaluation = asyncio.create_task(
        around.looks.conclusion(rollout, around.target.spec, around.target.status, around.conclude)
    )
    await settle()
    around.come.set()

    assert reasons_of(await evaluation) == ["RolledBackByUser"]
    assert around.glimpsed == 0
