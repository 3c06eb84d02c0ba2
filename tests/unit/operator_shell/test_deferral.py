"""What is written at every evaluation, and what may wait: never anything that has happened."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from sark_api.spec import Mode
from sark_e2e.simulated_target import SimulatedTarget, arm
from sark_operator.core.decision import Decision, WriteFlags, WriteStatus
from sark_operator.shell.api import RolloutObject
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.deferral import Deferral

STATUS = WriteStatus()


class Turned(SystemClock):
    """A clock the test turns."""

    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at


def stored(target: SimulatedTarget) -> RolloutObject:
    """Return the object as the API server would give it: with another version whenever something else is stored."""
    parts = {"spec": target.spec.to_wire(), "status": target.status.to_wire()}
    version = sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return RolloutObject(
        {"metadata": {"namespace": "shop", "name": "gateway", "uid": "uid-1", "resourceVersion": version}, **parts}
    )


class Ticking:
    """Decides on what waits, as the reconciler does, and stores what is due."""

    def __init__(self, target: SimulatedTarget) -> None:
        self.target, self.clock = target, Turned()
        self.deferral = Deferral(self.clock)
        self.writes = 0

    def tick(self, seconds: float) -> Decision:
        """Let time pass and decide; a status that is due is stored, and the others wait."""
        self.clock.at += seconds
        rollout = stored(self.target)
        before = self.target.status
        self.target.status = self.deferral.latest(rollout).whole()
        self.target.now += timedelta(seconds=seconds)
        decision = self.target.decide()
        self.target.status = before
        due = self.deferral.due(rollout, self.target.spec, decision)
        if STATUS in due:
            self.writes += 1
        for action in due:
            self.target._act(action, decision)
        self.target.deliver()
        return replace(decision, actions=due)


@pytest.fixture
def ticking() -> Ticking:
    """A rollout that bakes at 5 %, with an hour still to go."""
    target = SimulatedTarget()
    steps = [step.model_copy(update={"bake": step.bake * 240}) for step in target.spec.plan()]
    target.ask(steps=steps, interval=timedelta(seconds=5), valid_for=timedelta(hours=1))
    target.run_to(5)
    target.run(50, every=5)
    subject = Ticking(target)
    subject.tick(5)
    return subject


def test_a_bake_that_goes_on_is_written_once_in_four_intervals(ticking: Ticking) -> None:
    before, proven = ticking.writes, ticking.target.status.bake
    for _ in range(40):
        ticking.tick(5)

    # Then a fifth of the evaluations wrote, and no proven time was lost between two writes
    assert ticking.writes - before == 8
    after = ticking.target.status.bake
    assert proven is not None
    assert after is not None
    assert after.proven_milliseconds - proven.proven_milliseconds >= 180_000


def test_whoever_is_there_and_looks_on_sees_everything_at_once(ticking: Ticking) -> None:
    ticking.target.ask(interval=timedelta(seconds=2))
    ticking.tick(2)
    assert [ticking.tick(2).actions for _ in range(5)] == [(STATUS,)] * 5


def test_a_breach_is_written_at_once_flags_first(ticking: Ticking) -> None:
    ticking.tick(5)
    ticking.target.arms = {"rust": arm(1000, errors=500), "python": arm()}

    written = ticking.tick(5).actions

    assert [type(action) for action in written] == [WriteFlags, WriteStatus]
    assert ticking.target.status.revert is not None


def test_what_the_user_asked_is_answered_at_once(ticking: Ticking) -> None:
    ticking.target.ask(mode=Mode.PAUSED)
    assert ticking.tick(5).actions == (STATUS,)


def test_an_edit_is_recorded_at_once(ticking: Ticking) -> None:
    ticking.target.ask(watch_after=timedelta(hours=1))
    assert ticking.tick(5).actions == (STATUS,)
    assert ticking.target.status.history[-1].reason == "SpecEdited"


def test_a_crd_that_does_not_know_what_the_spec_said_costs_no_more_writes(ticking: Ticking) -> None:
    before = ticking.writes
    for _ in range(40):
        ticking.target.status = ticking.target.status.model_copy(update={"evaluated_spec": None})
        ticking.tick(5)

    assert ticking.writes - before == 8


def test_what_waits_is_dropped_when_somebody_else_has_written(ticking: Ticking) -> None:
    # Given a status that waits
    assert ticking.tick(5).actions == ()
    waiting = ticking.deferral.latest(stored(ticking.target)).whole()
    assert waiting != ticking.target.status

    # When another process stores one of its own
    ticking.target.status = ticking.target.status.model_copy(update={"retries": 1})

    # Then that is what is decided on
    assert ticking.deferral.latest(stored(ticking.target)).whole() == ticking.target.status


def test_what_waits_is_written_with_the_next_write_and_a_decision_of_nothing_forgets_nothing(ticking: Ticking) -> None:
    # Given a status that waits, and a tick at the same instant that decides nothing more
    ticking.tick(5)
    assert ticking.tick(0).actions == ()
    waiting = ticking.deferral.latest(stored(ticking.target)).whole()

    # When its time has come, though there is nothing new again
    ticking.clock.at += 60
    assert ticking.tick(0).actions == (STATUS,)

    # Then what was decided before is stored
    assert ticking.target.status == waiting
    assert ticking.deferral.latest(stored(ticking.target)).whole() == waiting


def test_what_waits_is_packed(ticking: Ticking) -> None:
    ticking.tick(5)
    (kept,) = ticking.deferral._kept.values()
    waiting = ticking.deferral.latest(stored(ticking.target)).whole()
    assert len(kept.status) < len(waiting.model_dump_json(by_alias=True, exclude_none=True)) / 2
