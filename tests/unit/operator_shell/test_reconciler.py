"""One tick, with everything around it replaced: what is handed to the core, and when the next tick is due."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from sark_api.names import API_VERSION, ARM_BASELINE, ARM_NEW, FINALIZER, KIND
from sark_api.spec import Mode, SarkRolloutSpec
from sark_api.status import Leader, Notified, Phase, SarkRolloutStatus
from sark_e2e.simulated_target import SimulatedTarget, arm
from sark_operator.core.decide import decide
from sark_operator.core.decision import Decision, ReleaseFinalizer, WriteFlags, WriteStatus
from sark_operator.core.observation import Identity, Missing, Observation
from sark_operator.shell import standing
from sark_operator.shell.api import (
    ClusterError,
    ForeignOwnerError,
    NamespaceEndingError,
    NotLeadingError,
    ObjectMissingError,
    RefusedError,
    RolloutObject,
    StaleVersionError,
    UnavailableError,
)
from sark_operator.shell.reconciler import Reconciler
from sark_operator.shell.standing import Standing
from sark_operator.shell.telemetry import Telemetry

pytestmark = pytest.mark.asyncio
LEADER = Leader(identity="operator-0", lease="lease-1", term=1)


@dataclass
class Surroundings:
    """Stands for the cluster, the observer, the actor, the Lease and the clock of one rollout."""

    target: SimulatedTarget = field(default_factory=SimulatedTarget)
    managed: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 100.0
    """By the monotonic clock."""
    acting: timedelta = timedelta(0)
    """How long the writes take."""
    set_by: timedelta = timedelta(0)
    """By how much the clock is set while they are under way."""
    decisions: list[Decision] = field(default_factory=list)
    refusal: ClusterError | None = None
    """What comes of the writes."""
    unsigned: ClusterError | None = None
    """What comes of writing that the rollout is ours."""
    taken_back: list[Decision] = field(default_factory=list)
    blind: bool = False
    """Whether the next observation never ends."""
    looking: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when an observation has begun that never ends."""
    held: bool = True
    term: Leader = LEADER
    reconciler: Reconciler | None = None
    listening: bool = False
    """Whether people are to be told."""
    told: list[str] = field(default_factory=list)

    warned: list[str] = field(default_factory=list)

    observed_by: SarkRolloutStatus | None = None
    guarded: bool = True
    """Whether the object has our finalizer."""
    mark_told: Notified | None = None
    """How far people have been told, if further than is stored."""
    stored: list[dict[str, Any]] = field(default_factory=list)
    """Statuses that were written beside decisions."""

    async def warn(self, _rollout: RolloutObject, reason: str, message: str) -> None:
        self.warned.append(f"{reason}: {message}")

    def mark(self, _rollout: RolloutObject, status: SarkRolloutStatus, _now: datetime) -> Notified | None:
        return self.mark_told or status.notified

    def tell(self, _rollout: RolloutObject, status: SarkRolloutStatus) -> None:
        self.told = [entry.reason for entry in status.history]

    async def read_rollout(self, namespace: str, name: str) -> RolloutObject:
        metadata = {
            "namespace": namespace,
            "name": name,
            "uid": "uid-1",
            "resourceVersion": "7",
            "generation": self.target.identity.generation,
            "finalizers": [FINALIZER] if self.guarded else [],
            "managedFields": self.managed,
        }
        if self.target.identity.deleting:
            metadata["deletionTimestamp"] = "2026-01-01T12:00:00Z"
        status = self.target.status.model_copy(update={"leader": LEADER}).to_wire()
        return RolloutObject(
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "metadata": metadata,
                "spec": self.target.spec.to_wire(),
                "status": status,
            }
        )

    async def add_finalizer(self, rollout: RolloutObject) -> RolloutObject:
        assert not self.decisions
        self.guarded = True
        return await self.read_rollout(rollout.namespace, rollout.name)

    async def write_status(self, rollout: RolloutObject, status: dict[str, Any]) -> RolloutObject:
        if self.unsigned is not None:
            raise self.unsigned
        self.stored.append(status)
        return rollout

    async def take_back(self, _rollout: RolloutObject, _name: str, decision: Decision) -> None:
        self.taken_back.append(decision)

    async def observe(self, _rollout: RolloutObject, _spec: object, status: SarkRolloutStatus) -> Any:
        self.observed_by = status
        if self.blind:
            self.blind = False
            self.looking.set()
            await asyncio.Event().wait()
        return self.target.observe()

    async def glimpse(self, *_: object) -> Any:
        return self.target.observe()

    async def act(self, _rollout: RolloutObject, _name: str, decision: Decision) -> None:
        self.decisions.append(decision)
        if self.refusal is not None:
            self.target.act(decision)
            raise self.refusal
        self.seconds += self.acting.total_seconds()
        self.target.now += self.acting + self.set_by

    def now(self) -> datetime:
        return self.target.now.astimezone(UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def tick(self) -> timedelta:
        """Do one tick, and return after how long the next is due."""
        wait = await self.made().tick("shop", "gateway", "uid-1")
        assert wait is not None
        return wait

    def made(self) -> Reconciler:
        """Return what does the ticks."""
        if self.reconciler is None:
            parts = dict.fromkeys(("cluster", "observer", "actor", "leads", "clock"), self)
            notifier = cast("Any", self) if self.listening else None
            self.reconciler = Reconciler(**parts, recorder=cast("Any", self), notifier=notifier, telemetry=Telemetry())  # type: ignore[arg-type]
        return self.reconciler


@pytest.fixture
def around() -> Surroundings:
    """A rollout that bakes at 25 %."""
    target = SimulatedTarget()
    target.run_to(25)
    target.run(3)
    return Surroundings(target)


async def test_the_next_tick_is_due_after_the_interval_less_what_the_tick_took(around: Surroundings) -> None:
    around.acting = timedelta(seconds=0.5)

    wait = await around.tick()

    assert wait == around.decisions[0].wake_at - around.target.now
    assert timedelta(0) < wait < around.target.spec.interval


async def test_while_it_waits_for_what_is_to_be_seen_only_an_outline_of_the_status_is_in_memory(around: Surroundings) -> None:
    assert around.target.status.criteria

    await around.tick()

    assert around.observed_by is not None
    assert around.observed_by.flags == around.target.status.flags
    assert not around.observed_by.criteria
    assert not around.observed_by.conditions
    assert around.decisions[0].status.criteria


@pytest.mark.parametrize("days", [-1, 1])
async def test_a_clock_that_is_set_while_a_tick_is_under_way_moves_no_tick(around: Surroundings, days: int) -> None:
    around.set_by = timedelta(days=days)

    wait = await around.tick()

    assert timedelta(0) < wait <= around.target.spec.interval


@pytest.mark.parametrize("asked", [Mode.AUTO, Mode.ROLLBACK])
async def test_metrics_with_which_nothing_can_be_decided_hold_nothing_up(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch, asked: Mode
) -> None:
    # Given metrics that the core stumbles over
    def stumbling(
        identity: Identity, spec: SarkRolloutSpec, status: SarkRolloutStatus, seen: Observation, now: datetime
    ) -> Decision:
        if not isinstance(seen.metrics.arms, Missing):
            raise OverflowError("cannot convert float infinity to integer")
        return decide(identity, spec, status, seen, now)

    monkeypatch.setattr("sark_operator.shell.reconciler.decide", stumbling)
    around.target.spec = around.target.spec.model_copy(update={"mode": asked})

    # When a tick is done
    await around.tick()

    # Then it is decided as if nothing had been seen: the user's rollback goes its way, and a step is held
    [decision] = around.decisions
    written = [action.document.percentage for action in decision.actions if isinstance(action, WriteFlags)]
    if asked is Mode.ROLLBACK:
        assert written == [0]
    else:
        assert written == []
        assert decision.status.reason == "MetricsUnavailable"
        assert "cannot be reckoned with (OverflowError)" in decision.status.message


async def test_an_edit_is_decided_on_with_the_name_of_what_wrote_it(around: Surroundings) -> None:
    around.managed = [{"manager": "kubectl-edit", "time": "2026-01-01T12:00:00Z", "fieldsV1": {"f:spec": {"f:interval": {}}}}]
    around.target.ask(interval=timedelta(seconds=3))

    await around.tick()

    (record,) = around.decisions[0].records
    assert "(interval: 2s -> 3s; via kubectl-edit)" in record.message


async def test_it_lets_go_at_once_where_the_namespace_goes_too(around: Surroundings) -> None:
    # Given a namespace whose deletion has taken the flags already
    around.target.lose_config_map()
    around.target.flags_refused = True
    around.target.delete()
    around.refusal = NamespaceEndingError("create ConfigMap shop/gateway-flags: the namespace is being terminated")

    # When the baseline cannot be created there any more, then the next tick does not wait, and lets go
    assert await around.tick() == timedelta(0)
    around.refusal = None
    await around.tick()
    assert [type(action) for action in around.decisions[0].actions] == [WriteFlags, WriteStatus]
    assert ReleaseFinalizer() in around.decisions[1].actions


async def test_a_breach_is_taken_back_although_a_new_leader_cannot_store_that_it_leads(around: Surroundings) -> None:
    # Given a new leader, an API server that takes no status, and a breach
    around.term = Leader(identity="operator-1", lease="lease-1", term=2)
    around.unsigned = UnavailableError("write status: failed calling webhook (HTTP 500)")
    around.target.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}

    with pytest.raises(UnavailableError):
        await around.tick()

    # Then the share is taken back all the same, and nothing else is done under a term that is not stored
    (decision,) = around.taken_back
    first = decision.actions[0]
    assert isinstance(first, WriteFlags)
    assert (first.document.percentage, first.force) == (0, True)
    assert around.decisions == []


async def test_an_observation_under_way_begins_anew_for_a_user_who_asks_for_the_baseline(around: Surroundings) -> None:
    # Given a rollout whose observation waits for an answer that does not come
    around.blind = True
    tick = asyncio.create_task(around.tick())
    await around.looking.wait()

    # When its user asks for the baseline
    around.target.ask(mode=Mode.ROLLBACK)
    assert around.reconciler is not None
    around.reconciler.look_again("uid-1")

    # Then the same tick decides on that, and a second one is not needed
    await asyncio.wait_for(tick, 5)
    (decision,) = around.decisions
    assert [record.reason for record in decision.records] == ["RolledBackByUser"]


async def test_a_tick_that_is_ended_is_not_begun_anew(around: Surroundings) -> None:
    around.blind = True
    tick = asyncio.create_task(around.tick())
    await around.looking.wait()
    tick.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tick
    assert around.decisions == []


@pytest.mark.parametrize("refusal", [StaleVersionError("changed meanwhile"), NotLeadingError("not sent")])
async def test_a_revert_that_is_decided_anew_or_by_another_is_nothing_to_warn_of(
    around: Surroundings, refusal: ClusterError
) -> None:
    # Given a revert that is stored
    around.listening = True
    around.target.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}
    await around.tick()
    around.target.flags_refused = True

    # When its next write meets a newer version, or this process leads no longer
    around.refusal = refusal
    with pytest.raises(type(refusal)):
        await around.tick()

    # Then people are not told that something is in the way
    assert around.warned == []


async def test_people_hear_of_a_revert_whose_flags_are_refused(around: Surroundings) -> None:
    # Given an API server that refuses the flags
    around.listening, around.target.flags_refused = True, True
    around.refusal = RefusedError("write ConfigMap shop/gateway-flags: flags are frozen")
    around.target.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}

    # When the revert is stored in one tick, and the next one fails as well
    for _ in range(2):
        with pytest.raises(RefusedError):
            await around.tick()

    # Then it is told, and so is what keeps it from being done
    assert around.told[-1] == "CriterionBreached"
    (warning,) = around.warned
    assert warning.startswith(
        "BaselineNotRestored: The baseline is not restored yet: write ConfigMap shop/gateway-flags: flags are"
    )


async def test_a_breach_in_sight_is_acted_on_while_the_rest_is_still_being_looked_for(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an urgent evaluation whose observation waits for an answer that does not come, and a breach that is seen at once
    monkeypatch.setattr("sark_operator.shell.looks.PATIENCE_SECONDS", 0.01)
    around.blind = True
    around.target.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}
    urgent = Standing(urgent=True)

    async def evaluate() -> timedelta:
        standing.adopt(urgent)
        return await around.tick()

    # When it is evaluated, then the share is taken back, before the status says so
    await asyncio.wait_for(asyncio.create_task(evaluate()), 5)
    (decision,) = around.decisions
    flags, status = decision.actions
    assert isinstance(flags, WriteFlags)
    assert (flags.document.percentage, flags.force) == (0, True)
    assert isinstance(status, WriteStatus)
    assert [record.reason for record in decision.records] == ["CriterionBreached"]


async def test_another_object_of_the_same_name_is_none_of_ours(around: Surroundings) -> None:
    assert await around.made().tick("shop", "gateway", "uid-0") is None
    assert (around.decisions, around.observed_by) == ([], None)


async def test_before_anything_is_done_the_object_cannot_go_without_its_baseline(around: Surroundings) -> None:
    around.guarded = False

    await around.tick()

    assert around.guarded
    assert len(around.decisions) == 1


async def test_what_a_successor_keeps_is_left_alone(around: Surroundings) -> None:
    # Given a process under an earlier term of the Lease than the status tells of, and a breach
    around.term = LEADER.model_copy(update={"identity": "operator-1", "term": 0})
    around.target.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}

    with pytest.raises(NotLeadingError, match="operator-0 keeps this rollout under term 1, and ours is 0"):
        await around.tick()
    assert (around.decisions, around.taken_back, around.stored) == ([], [], [])


async def test_a_new_leader_stores_its_term_before_anything_is_done(around: Surroundings) -> None:
    around.term = LEADER.model_copy(update={"identity": "operator-1", "term": 2})

    await around.tick()

    assert [status["leader"]["identity"] for status in around.stored] == ["operator-1"]


async def test_a_rollout_at_which_nothing_can_happen_is_not_written_for_a_new_leader(around: Surroundings) -> None:
    around.target.ask(mode=Mode.ROLLBACK)
    around.target.run(20)
    assert around.target.status.phase is Phase.REVERTED
    around.term = LEADER.model_copy(update={"identity": "operator-1", "term": 2})

    await around.tick()

    assert around.stored == []


@pytest.mark.parametrize(
    "refusal", [StaleVersionError("changed"), NotLeadingError("not sent"), ObjectMissingError("gone")], ids=str
)
async def test_on_a_state_that_has_changed_nothing_is_taken_back(around: Surroundings, refusal: ClusterError) -> None:
    # Given a breach, and a new leader whose term is not stored since the object is another one by now, or the leader is
    around.term = LEADER.model_copy(update={"term": 2})
    around.unsigned = refusal
    around.target.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}

    with pytest.raises(type(refusal)):
        await around.tick()
    assert (around.decisions, around.taken_back) == ([], [])


async def test_how_far_people_have_been_told_is_stored_though_nothing_else_is_decided(around: Surroundings) -> None:
    # Given a rollout of which nothing is to be written, and people who have been told something
    around.listening = True
    around.mark_told = Notified(until=around.now(), count=1)

    await around.tick()

    # Then that is written, with the decision or beside it
    (decision,) = around.decisions
    assert decision.status.notified == around.mark_told
    assert any(isinstance(action, WriteStatus) for action in decision.actions) or [
        Notified.model_validate(status["notified"]) for status in around.stored
    ] == [around.mark_told]


async def test_of_a_rollout_that_is_let_go_nothing_more_is_stored(around: Surroundings) -> None:
    # Given a rollout that was let go, and people who have been told something meanwhile
    around.listening = True
    await around.tick()
    around.target.delete()
    around.mark_told = Notified(until=around.now(), count=1)
    stored = around.target.status.model_copy(update={"notified": around.mark_told})
    released = replace(around.decisions[0], status=stored, actions=(ReleaseFinalizer(),))

    # When they are told the rest, then nothing is written of an object that is gone
    rollout = await around.read_rollout("shop", "gateway")
    await around.made()._tell(rollout, rollout.status(), released)
    assert around.stored == []


async def test_a_namespace_that_goes_lets_nothing_go_that_is_not_deleted(around: Surroundings) -> None:
    around.refusal = NamespaceEndingError("create ConfigMap shop/gateway-flags: the namespace is being terminated")

    with pytest.raises(NamespaceEndingError):
        await around.tick()
    assert len(around.decisions) == 1


async def test_a_namespace_that_goes_lets_nothing_go_in_another_one(around: Surroundings) -> None:
    # Given a process that has let go of a rollout whose namespace went
    around.made()._ending.add("uid-9")

    # When another one is deleted, whose flags cannot be written
    around.target.lose_config_map()
    around.target.flags_refused = True
    around.target.delete()
    await around.tick()

    # Then its baseline is restored first
    (decision,) = around.decisions
    assert ReleaseFinalizer() not in decision.actions


async def test_flags_that_another_owns_are_warned_of_and_nothing_counts_as_done(around: Surroundings) -> None:
    around.refusal = ForeignOwnerError("conflict with kubectl-edit")

    with pytest.raises(ForeignOwnerError):
        await around.tick()
    (warning,) = around.warned
    assert warning.startswith("FlagsOwnedByAnother: ")


async def test_a_status_without_news_waits_for_its_write(around: Surroundings) -> None:
    # Given a rollout that is evaluated every ten seconds and has an hour to go
    target = around.target
    steps = [step.model_copy(update={"bake": step.bake * 240}) for step in target.spec.plan()]
    target.ask(steps=steps, interval=timedelta(seconds=10), valid_for=timedelta(hours=1))
    target.run(60, every=10)
    target.now += timedelta(seconds=10)

    await around.tick()

    (decision,) = around.decisions
    assert decision.actions == ()
    assert decision.status != target.status
