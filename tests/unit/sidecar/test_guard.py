"""A breaker at work: what is told of it, and which failures of OPA open it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from sark_sidecar import guard as guard_module
from sark_sidecar.breaker import BreakerRule, BreakerState
from sark_sidecar.guard import Guard
from sark_sidecar.opa.answer import UNDEFINED, Answer
from sark_sidecar.opa.client import OpaFailure
from sark_sidecar.opa.guarded import GuardedOpa, OpaNotAsked
from sark_sidecar.opa.question import Question

RULE = BreakerRule(failures=2, slow_after=1.0, pause=10.0, longest_pause=60.0)
QUESTION = Question("authz/allow", None)
OUTAGE = OpaFailure("connection", "gone")
OF_THE_QUESTION = OpaFailure("evaluation", "conflict", is_outage=False)


@dataclass
class World:
    """The clock, and all that a guard tells."""

    now: float = 100.0
    states: list[BreakerState] = field(default_factory=list)
    changes: list[BreakerState] = field(default_factory=list)
    opened: int = 0
    skipped: int = 0

    def breaker_state(self, name: str, state: BreakerState) -> None:
        del name
        self.states.append(state)

    def breaker_opened(self, name: str) -> None:
        del name
        self.opened += 1

    def calls_skipped(self, name: str, calls: int) -> None:
        del name
        self.skipped += calls

    def guard(self) -> Guard:
        return Guard("opa", RULE, self, on_change=self.changes.append, clock=lambda: self.now)


@dataclass
class Opa:
    """Answers or fails as it is told, and counts."""

    does: Callable[[], Answer]
    asked: int = 0

    async def decide(self, question: Question) -> Answer:
        del question
        self.asked += 1
        return self.does()


def failing(error: BaseException) -> Callable[[], Answer]:
    def fail() -> Answer:
        raise error

    return fail


def test_what_fails_in_a_row_is_left_alone_and_that_is_told():
    # Given a guard whose server fails twice
    world = World()
    guard = world.guard()
    for _ in range(RULE.failures):
        permit = guard.admit()
        assert permit is not None
        guard.ended(permit, failed=True)
    # When calls come that stand for several, then they are skipped and all of them counted
    assert guard.admit(5) is None
    assert (world.skipped, world.opened, world.changes) == (5, 1, [BreakerState.OPEN])
    # And after the pause one is a try, whose success closes it
    world.now += RULE.pause
    permit = guard.admit()
    assert permit is not None
    assert guard.admit() is None
    guard.ended(permit, failed=False)
    assert world.changes == [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED]
    assert world.states == [BreakerState.CLOSED, *world.changes]


@pytest.mark.asyncio
async def test_calls_that_hang_are_noticed_while_nobody_asks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(guard_module, "LOOK_SECONDS", 0.001)
    # Given calls under way
    world = World()
    guard = world.guard()
    assert all(guard.admit() for _ in range(RULE.failures))
    following = asyncio.create_task(guard.follow())
    # When they take too long, then it opens before any of them ends
    world.now += RULE.slow_after + 0.1
    async with asyncio.timeout(10):
        while guard.state is not BreakerState.OPEN:  # noqa: ASYNC110 - what is waited for knows nothing of events
            await asyncio.sleep(0.001)
    following.cancel()
    assert world.changes == [BreakerState.OPEN]


@pytest.mark.asyncio
async def test_an_opa_that_is_away_is_not_asked_for_a_while_and_nobody_gets_a_decision():
    world, opa = World(), Opa(failing(OUTAGE))
    guarded = GuardedOpa(opa, world.guard())
    for _ in range(RULE.failures):
        with pytest.raises(OpaFailure):
            await guarded.decide(QUESTION)
    with pytest.raises(OpaNotAsked):
        await guarded.decide(QUESTION)
    assert opa.asked == RULE.failures


@pytest.mark.asyncio
async def test_questions_that_have_no_decision_do_not_keep_others_from_opa():
    # Given an OPA that is well, and a client whose questions fail to evaluate
    opa = Opa(failing(OF_THE_QUESTION))
    guarded = GuardedOpa(opa, World().guard())
    for _ in range(10 * RULE.failures):
        with pytest.raises(OpaFailure):
            await guarded.decide(QUESTION)
    # When another one is asked, then it is answered
    opa.does = lambda: UNDEFINED
    assert await guarded.decide(QUESTION) is UNDEFINED


@pytest.mark.asyncio
async def test_a_try_that_is_given_up_leaves_room_for_the_next():
    # Given a breaker whose pause is over
    world, opa = World(), Opa(failing(OUTAGE))
    guarded = GuardedOpa(opa, world.guard())
    for _ in range(RULE.failures):
        with pytest.raises(OpaFailure):
            await guarded.decide(QUESTION)
    world.now += RULE.pause
    # When whoever asked for the try goes away
    opa.does = failing(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await guarded.decide(QUESTION)
    # Then the next question is the try
    opa.does = lambda: UNDEFINED
    assert await guarded.decide(QUESTION) is UNDEFINED
