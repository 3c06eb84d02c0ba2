from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from sark_api.status import SarkRolloutStatus
from sark_operator.shell import standing
from sark_operator.shell.api import ObjectMissingError, RolloutObject, UnavailableError
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.crew import OVERDUE_SECONDS, Crew
from sark_operator.shell.directory import Directory
from sark_operator.shell.pacer import Pacer
from sark_operator.shell.pulse import Pulse
from sark_operator.shell.telemetry import Telemetry
from sark_operator.shell.tripwires import Tripwires
from sark_operator.shell.worker import Worker

pytestmark = pytest.mark.asyncio

Outcome = Exception | timedelta | None


class Ticks:
    """Stands for the reconciler: gives one outcome after the other, and tells when each tick was done."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._outcomes = list(outcomes)
        self.done: asyncio.Queue[str] = asyncio.Queue()
        self.looked_again = 0

    def look_again(self, _uid: str) -> None:
        self.looked_again += 1

    async def tick(self, namespace: str, name: str, uid: str) -> timedelta | None:
        self.done.put_nowait(f"{namespace}/{name} {uid}")
        outcome = self._outcomes.pop(0) if self._outcomes else timedelta(hours=1)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def worker(ticks: Ticks) -> Worker:
    place, rest = ("shop", "gateway", "u1"), {"clock": SystemClock(), "telemetry": Telemetry()}
    return Worker(*place, reconciler=ticks, pacer=Pacer(0), **rest)  # type: ignore[arg-type]


async def running(ticks: Ticks, then: Callable[[Worker], Any] = lambda _: None) -> asyncio.Task[None]:
    subject = worker(ticks)
    task = asyncio.create_task(subject.run())
    await ticks.done.get()
    then(subject)
    return task


async def test_a_tick_follows_when_its_time_has_come() -> None:
    task = await running(ticks := Ticks(timedelta(milliseconds=1)))
    await asyncio.wait_for(ticks.done.get(), 5)
    task.cancel()


async def test_a_change_does_not_wait_for_the_time() -> None:
    # Given a worker whose next tick is an hour away, when it is woken, then it ticks at once
    task = await running(ticks := Ticks(timedelta(hours=1)), Worker.wake)
    await asyncio.wait_for(ticks.done.get(), 5)
    task.cancel()


@pytest.mark.parametrize("failure", [UnavailableError("away"), RuntimeError("a bug"), TimeoutError()])
async def test_no_failure_ends_it(failure: Exception) -> None:
    task = await running(ticks := Ticks(failure, failure))
    await asyncio.wait_for(ticks.done.get(), 5)
    assert not task.done()
    task.cancel()


@pytest.mark.parametrize("ends", [[ObjectMissingError("gone")] * 4, [None]])
async def test_it_ends_when_the_rollout_is_gone(ends: list[Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sark_operator.shell.worker.FIRST_RETRY_SECONDS", 0.001)
    task = await running(Ticks(*ends))
    await asyncio.wait_for(task, 5)


async def test_an_api_server_that_misses_it_once_does_not_leave_its_fleet_unwatched() -> None:
    # Given an API server that does not find the rollout, and finds it again: no news of it comes through the watch
    task = await running(ticks := Ticks(ObjectMissingError("404"), timedelta(milliseconds=1), *[ObjectMissingError("404")] * 3))

    # Then it is evaluated on and on
    for _ in range(4):
        await asyncio.wait_for(ticks.done.get(), 20)
    assert not task.done()
    task.cancel()


@pytest.mark.parametrize(("asked", "times"), [({"mode": "Rollback"}, 1), ({"deleting": True}, 1), ({"mode": "Pause"}, 0)])
async def test_what_is_only_being_observed_begins_anew_when_the_user_asks_for_the_baseline(
    asked: dict[str, Any], times: int
) -> None:
    subject = crew(ticks := Ticks())
    subject.saw(raw(generation=1))
    await ticks.done.get()
    subject.saw(raw(generation=2, version="2", **asked))
    await asyncio.wait_for(ticks.done.get(), 5)
    assert ticks.looked_again == times
    await subject.close()


def raw(
    generation: int = 1,
    *,
    uid: str = "u1",
    name: str = "gateway",
    version: str = "1",
    deleting: bool = False,
    mode: str = "Auto",
) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "namespace": "shop",
        "name": name,
        "uid": uid,
        "generation": generation,
        "resourceVersion": version,
    }
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"metadata": metadata, "spec": {"mode": mode}}


def crew(ticks: Ticks, wires: Tripwires | None = None) -> Crew:
    return Crew(lambda _: worker(ticks), Directory(), Telemetry(), wires or Tripwires(SystemClock()))


async def test_a_crew_that_is_closed_begins_nothing_more() -> None:
    # Given a crew that was closed, for the Lease is lost, while its last status write is still on its way through the watch
    subject = crew(ticks := Ticks())
    subject.saw(raw(generation=1))
    await ticks.done.get()
    await subject.close()

    # When the watch reports it
    subject.saw(raw(generation=1, version="2"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    # Then nobody evaluates it: kopf would wait for that task when it stops, until the Lease has run out
    assert ticks.done.empty()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("rollout ")]


class Dying(Worker):
    """A worker that ends at its first tick in a way that it does not expect of itself."""

    fault: BaseException = RuntimeError("a bug")

    async def run(self) -> None:
        raise self.fault


@pytest.mark.parametrize("fault", [RuntimeError("a bug"), asyncio.CancelledError()])
async def test_a_worker_that_ends_though_its_rollout_is_there_is_followed_by_another(
    fault: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a rollout whose worker ends by a fault, or because something in it was cancelled, and of which the watch has no news
    monkeypatch.setattr("sark_operator.shell.crew.AGAIN_SECONDS", 0.01)
    ticks, begun = Ticks(), []

    def make(rollout: RolloutObject) -> Worker:
        place = (rollout.namespace, rollout.name, rollout.uid)
        kind = Dying if len(begun) < 2 else Worker
        begun.append(place)
        made = kind(*place, reconciler=ticks, pacer=Pacer(0), clock=SystemClock(), telemetry=Telemetry())  # type: ignore[arg-type]
        if isinstance(made, Dying):
            made.fault = fault
        return made

    subject = Crew(make, Directory(), Telemetry(), Tripwires(SystemClock()))
    with capture_logs() as logs:
        subject.saw(raw())
        # Then it is evaluated all the same, what happened is told, and who else is there is not forgotten
        assert await asyncio.wait_for(ticks.done.get(), 10) == "shop/gateway u1"
    assert begun == [("shop", "gateway", "u1")] * 3
    assert [each["rollout"] for each in logs if each["log_level"] == "error"] == ["shop/gateway"] * 2
    assert subject._directory.concerned([{"sark_rollout": "shop/gateway"}]) == ("u1",)
    await subject.close()


@pytest.mark.parametrize("ends", [lambda subject: subject.close(), lambda subject: subject.lost(raw())])
async def test_a_worker_that_was_ended_is_followed_by_none(
    ends: Callable[[Crew], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sark_operator.shell.crew.AGAIN_SECONDS", 0.0)
    subject = crew(ticks := Ticks())
    subject.saw(raw())
    await ticks.done.get()
    if (ended := ends(subject)) is not None:
        await ended
    for _ in range(10):
        await asyncio.sleep(0.001)
    assert ticks.done.empty()
    await subject.close()


async def test_what_the_user_wrote_wakes_and_our_own_status_does_not() -> None:
    # Given a rollout that has been ticked once
    subject = crew(ticks := Ticks())
    subject.saw(raw(generation=1))
    await ticks.done.get()
    # When the watch brings a newer object of the same generation, then nothing is woken
    subject.saw(raw(generation=1, version="2"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ticks.done.get(), 0.1)
    # When it brings a new generation, or a deletion, then the rollout is ticked
    subject.saw(raw(generation=2, version="3"))
    await asyncio.wait_for(ticks.done.get(), 5)
    subject.saw(raw(generation=2, version="4", deleting=True))
    await asyncio.wait_for(ticks.done.get(), 5)
    await subject.close()


async def queued(ticks: Ticks, wires: Tripwires) -> tuple[Crew, asyncio.Event]:
    """Return a crew of three whose only place is taken until the event, and whose workers have ticked once and wait for it."""
    pacer, hold = Pacer(0, places=1, longest_seconds=3600), asyncio.Event()

    def make(rollout: RolloutObject) -> Worker:
        place = (rollout.namespace, rollout.name, rollout.uid)
        return Worker(*place, reconciler=ticks, pacer=pacer, clock=SystemClock(), telemetry=Telemetry())  # type: ignore[arg-type]

    async def occupy() -> None:
        async with pacer.turn():
            await hold.wait()

    subject = Crew(make, Directory(), Telemetry(), wires)
    for number in (1, 2, 3):
        subject.saw(raw(uid=f"u{number}", name=f"r{number}"))
    for _ in range(3):
        await ticks.done.get()
    subject.occupied = asyncio.create_task(occupy())  # type: ignore[attr-defined] - kept, or it is collected
    await asyncio.sleep(0.01)
    for number in (1, 2, 3):
        subject.wake(f"u{number}")
    await asyncio.sleep(0.01)
    return subject, hold


def trip(subject: Crew, wires: Tripwires) -> None:
    wires.on_tripped("u3")


def roll_back(subject: Crew, wires: Tripwires) -> None:
    subject.saw(raw(generation=2, uid="u3", name="r3", mode="Rollback"))


def delete(subject: Crew, wires: Tripwires) -> None:
    subject.saw(raw(uid="u3", name="r3", deleting=True))


def edit(subject: Crew, wires: Tripwires) -> None:
    subject.saw(raw(generation=2, uid="u3", name="r3", mode="Paused"))


@pytest.mark.parametrize(
    ("happens", "first"),
    [(trip, "r3"), (roll_back, "r3"), (delete, "r3"), (edit, "r1")],
    ids=lambda each: getattr(each, "__name__", each),
)
async def test_the_way_back_does_not_wait_for_what_is_only_due(happens: Callable[[Crew, Tripwires], None], first: str) -> None:
    # Given three rollouts that are due and wait for a place
    subject, hold = await queued(ticks := Ticks(), wires := Tripwires(SystemClock()))

    # When something happens to the last of them, and the place is free
    happens(subject, wires)
    hold.set()

    # Then it is the first where it may have to go back, and all others follow
    order = [(await asyncio.wait_for(ticks.done.get(), 5)).split()[0] for _ in range(3)]
    assert order[0] == f"shop/{first}"
    assert sorted(order) == ["shop/r1", "shop/r2", "shop/r3"]
    await subject.close()


async def test_what_happens_during_an_evaluation_is_followed_by_another_one() -> None:
    # Given an evaluation that is under way
    class Held(Ticks):
        def __init__(self) -> None:
            super().__init__()
            self.go_on = asyncio.Event()

        async def tick(self, namespace: str, name: str, uid: str) -> timedelta | None:
            found = await super().tick(namespace, name, uid)
            await self.go_on.wait()
            return found

    subject = worker(ticks := Held())
    task = asyncio.create_task(subject.run())
    await ticks.done.get()

    # When something happens that it may not have seen, and it ends
    subject.wake(urgent=True)
    await asyncio.sleep(0)
    assert ticks.done.empty()
    ticks.go_on.set()

    # Then there is another one
    await asyncio.wait_for(ticks.done.get(), 5)
    task.cancel()


async def test_an_evaluation_under_way_becomes_urgent_when_a_breach_is_in_sight() -> None:
    # Given a rollout whose evaluation waits for something
    class Waiting(Ticks):
        def __init__(self) -> None:
            super().__init__()
            self.standing = standing.ours()

        async def tick(self, namespace: str, name: str, uid: str) -> timedelta | None:
            self.standing = standing.ours()
            await super().tick(namespace, name, uid)
            await asyncio.Event().wait()
            return None

    ticks, wires = Waiting(), Tripwires(SystemClock())
    subject = crew(ticks, wires=wires)
    subject.saw(raw())
    await ticks.done.get()
    assert not ticks.standing.urgent

    # When an answer shows its breach, then what it waits for comes first
    wires.on_tripped("u1")
    assert ticks.standing.urgent
    await subject.close()


async def test_what_follows_an_urgent_evaluation_is_none() -> None:
    # Given a worker that notes whether its evaluations are urgent
    class Noted(Ticks):
        def __init__(self) -> None:
            super().__init__(*[timedelta(milliseconds=1)] * 3)
            self.urgent: list[bool] = []

        async def tick(self, namespace: str, name: str, uid: str) -> timedelta | None:
            self.urgent.append(standing.ours().urgent)
            return await super().tick(namespace, name, uid)

    # When it is woken for a breach, then that evaluation comes first in every line, and no other
    subject = worker(ticks := Noted())
    subject.wake(urgent=True)
    task = asyncio.create_task(subject.run())
    for _ in range(3):
        await asyncio.wait_for(ticks.done.get(), 5)
    assert ticks.urgent == [True, False, False]
    task.cancel()


async def test_what_was_urgent_stays_so_until_it_has_been_done() -> None:
    # Given a rollout that is to go back, and an API server that is away when it is evaluated
    order: list[str] = []

    class Noted(Ticks):
        async def tick(self, namespace: str, name: str, uid: str) -> timedelta | None:
            order.append(name)
            return await super().tick(namespace, name, uid)

    failing = Noted(UnavailableError("away"), timedelta(hours=1))
    pacer, hold = Pacer(0, places=1, longest_seconds=3600), asyncio.Event()
    rest = {"pacer": pacer, "clock": SystemClock(), "telemetry": Telemetry()}
    subject = Worker("shop", "back", "u1", reconciler=failing, **rest)  # type: ignore[arg-type]
    subject.wake(urgent=True)
    task = asyncio.create_task(subject.run())
    await failing.done.get()
    order.clear()

    # When it waits for its next try behind others that are only due
    async def occupy() -> None:
        async with pacer.turn():
            await hold.wait()

    async def due() -> None:
        async with pacer.turn():
            order.append("due")

    others = [asyncio.create_task(occupy()), *(asyncio.create_task(due()) for _ in range(3))]
    async with asyncio.timeout(10):
        while not pacer.has(subject._turn):  # noqa: ASYNC110 - it tells nobody that it waits
            await asyncio.sleep(0.01)
    hold.set()
    await asyncio.gather(*others)

    # Then it comes before them
    assert order == ["back", "due", "due", "due"]
    task.cancel()


async def test_one_that_asks_for_its_baseline_is_first_after_a_start_too() -> None:
    # Given a crew that sees three rollouts at its start, the last of which is to go back
    pacer, ticks = Pacer(0, places=1, longest_seconds=3600), Ticks()

    def make(rollout: RolloutObject) -> Worker:
        place = (rollout.namespace, rollout.name, rollout.uid)
        return Worker(*place, reconciler=ticks, pacer=pacer, clock=SystemClock(), telemetry=Telemetry())  # type: ignore[arg-type]

    subject = Crew(make, Directory(), Telemetry(), Tripwires(SystemClock()))
    for number, mode in enumerate(("Auto", "Auto", "Auto", "Rollback")):
        subject.saw(raw(uid=f"u{number}", name=f"r{number}", mode=mode))

    # When they are evaluated, then it comes right after the one that had begun
    order = [(await asyncio.wait_for(ticks.done.get(), 5)).split()[0] for _ in range(4)]
    assert order == ["shop/r0", "shop/r3", "shop/r1", "shop/r2"]
    await subject.close()


async def test_an_object_is_not_kept_as_it_was_first_seen() -> None:
    # Given a watch that handles each object in a context that names it, as kopf does
    class Seen(dict[str, Any]):
        """What can be asked whether it is still there."""

    handled: contextvars.ContextVar[Seen] = contextvars.ContextVar("handled")

    def handle(seen: Seen) -> weakref.ref[Seen]:
        handled.set(seen)
        subject.saw(seen)
        return weakref.ref(seen)

    subject = crew(ticks := Ticks())
    first = contextvars.copy_context().run(handle, Seen(raw(version="1")))
    await ticks.done.get()
    # When it shows the object anew
    contextvars.copy_context().run(handle, Seen(raw(version="2")))
    gc.collect()
    # Then what it was before is gone
    assert first() is None
    await subject.close()


async def test_a_rollout_that_goes_wakes_the_one_waiting_for_its_target() -> None:
    subject = crew(ticks := Ticks())
    subject.saw(raw())
    subject.saw(raw(uid="u2", name="second"))
    await ticks.done.get()
    await ticks.done.get()
    subject.lost(raw())
    await asyncio.wait_for(ticks.done.get(), 5)
    await subject.close()


async def test_a_rollout_that_went_while_the_watch_was_away_leaves_nothing_behind() -> None:
    # Given two rollouts, of which the first turns out to be gone when it is evaluated, and the watch has not said so
    lost: list[str] = []
    telemetry, ticks = Telemetry(), Ticks(None, timedelta(hours=1))
    telemetry.state("shop/gateway", SarkRolloutStatus(), 2)
    subject = Crew(lambda _: worker(ticks), Directory(), telemetry, Tripwires(SystemClock()))
    subject.on_lost = lost.append
    subject.saw(raw())
    subject.saw(raw(uid="u2", name="second"))
    for _ in range(2):
        await ticks.done.get()

    # Then whoever may wait for its target is evaluated again, and neither series nor anything else of it stays
    await asyncio.wait_for(ticks.done.get(), 5)
    assert lost == ["u1"]
    assert b"shop/gateway" not in generate_latest(telemetry.registry)
    assert list(subject._members) == ["u2"]
    await subject.close()


async def test_series_of_a_rollout_that_was_made_anew_under_its_name_stay() -> None:
    # Given a rollout that was made anew while the watch was away
    telemetry, ticks = Telemetry(), Ticks(timedelta(hours=1), timedelta(hours=1), None)
    telemetry.state("shop/gateway", SarkRolloutStatus(), 2)
    subject = Crew(lambda _: worker(ticks), Directory(), telemetry, Tripwires(SystemClock()))
    subject.saw(raw())
    subject.saw(raw(uid="u2"))
    for _ in range(2):
        await ticks.done.get()

    # When the one before it turns out to be gone
    subject.wake("u1")
    for _ in range(2):
        await asyncio.wait_for(ticks.done.get(), 5)

    # Then the new one is still to be seen
    assert list(subject._members) == ["u2"]
    assert b"shop/gateway" in generate_latest(telemetry.registry)
    await subject.close()


async def test_a_recreated_rollout_gets_a_worker_of_its_own() -> None:
    # Given a worker that ended with its object
    subject = crew(ticks := Ticks(None))
    subject.saw(raw())
    await ticks.done.get()
    await asyncio.sleep(0)
    # When the watch shows the object again, then there is a worker again
    subject.saw(raw(generation=2))
    await asyncio.wait_for(ticks.done.get(), 5)
    await subject.close()


async def test_a_tick_that_hangs_makes_the_process_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a tick that never ends, and a limit that has passed
    class Hanging(Ticks):
        async def tick(self, namespace: str, name: str, uid: str) -> timedelta | None:
            await super().tick(namespace, name, uid)
            await asyncio.sleep(3600)
            return None

    subject = crew(ticks := Hanging())
    subject.saw(raw())
    await ticks.done.get()
    assert subject.late() == []
    monkeypatch.setattr("sark_operator.shell.crew.OVERDUE_SECONDS", -1.0)
    # Then the health probe names the rollout
    assert "shop/gateway has not been evaluated" in subject.late()[0]
    await subject.close()


class Turned(SystemClock):
    """A clock the test turns."""

    def __init__(self) -> None:
        self.at = 100.0

    def monotonic(self) -> float:
        return self.at


class Held(Ticks):
    """Ticks of which those hang that are told to; each begins with its name in `done`."""

    def __init__(self, *hanging: str) -> None:
        super().__init__()
        self.hanging = set(hanging)
        self.go_on = asyncio.Event()

    async def tick(self, namespace: str, name: str, uid: str) -> timedelta | None:
        found = await super().tick(namespace, name, uid)
        if name in self.hanging:
            await self.go_on.wait()
        return found


async def at_work(ticks: Ticks, clock: SystemClock, *names: str) -> Crew:
    """Return a crew that tells the time by `clock`, with a rollout of each name whose first tick is under way or done."""

    def make(rollout: RolloutObject) -> Worker:
        place, rest = (rollout.namespace, rollout.name, rollout.uid), {"clock": clock, "telemetry": Telemetry()}
        return Worker(*place, reconciler=ticks, pacer=Pacer(0), **rest)  # type: ignore[arg-type]

    subject = Crew(make, Directory(), Telemetry(), Tripwires(clock))
    for name in names:
        subject.saw(raw(uid=name, name=name))
    for _ in names:
        await asyncio.wait_for(ticks.done.get(), 5)
    await turned_over()
    return subject


async def turned_over() -> None:
    """Let everything that is ready in the loop go on, some rounds of it."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_crew_without_a_rollout_does_not_hang() -> None:
    # Given nobody to be evaluated, for a day
    clock = Turned()
    subject = await at_work(Ticks(), clock)
    clock.at += 86_400

    # Then nothing is missing
    assert not subject.hangs()
    assert subject.late() == []


@pytest.mark.parametrize(
    ("hanging", "beyond_seconds", "late", "hangs"),
    [
        ({"a", "b"}, 1, {"a", "b"}, True),
        ({"a", "b"}, 0, set(), False),
        ({"a"}, 1, {"a"}, False),
        (set(), 1, set(), False),
    ],
    ids=["every one", "every one, not yet for too long", "one of two", "none"],
)
async def test_a_crew_hangs_when_every_evaluation_is_long_overdue(
    hanging: set[str], beyond_seconds: float, late: set[str], hangs: bool
) -> None:
    # Given two rollouts, the evaluations of some of which do not come to their end; the others are due again in an hour
    clock = Turned()
    subject = await at_work(Held(*hanging), clock, "a", "b")
    assert not subject.hangs()

    # When as much time has passed as a tick may be late by, or more
    clock.at += OVERDUE_SECONDS + beyond_seconds

    # Then the crew hangs if nobody comes on any more; whoever is late is named in any case
    assert {said.split()[0] for said in subject.late()} == {f"shop/{name}" for name in late}
    assert subject.hangs() is hangs
    await subject.close()


async def test_a_crew_that_hung_and_comes_on_again_hangs_no_longer() -> None:
    # Given two evaluations that hang, for too long
    clock = Turned()
    subject = await at_work(ticks := Held("a", "b"), clock, "a", "b")
    clock.at += OVERDUE_SECONDS + 1
    assert subject.hangs()

    # When both come to their end, and are due again in an hour
    ticks.go_on.set()
    await turned_over()

    # Then there is nothing amiss
    assert not subject.hangs()
    assert subject.late() == []
    await subject.close()


async def test_a_rollout_that_is_gone_neither_hangs_nor_excuses_one_that_does() -> None:
    # Given two evaluations, one of which hangs
    clock = Turned()
    subject = await at_work(ticks := Held("a"), clock, "a", "b")
    clock.at += OVERDUE_SECONDS + 1
    assert not subject.hangs()

    # When the other rollout, the one in order, goes: then nobody is evaluated any more
    subject.lost(raw(uid="b", name="b"))
    await turned_over()
    assert subject.hangs()

    # And when the one that hangs goes too, nobody needs to be
    subject.lost(raw(uid="a", name="a"))
    await turned_over()
    assert not subject.hangs()
    assert ticks.done.empty()
    await subject.close()


async def test_a_worker_that_ended_is_not_counted_as_late() -> None:
    # Given a rollout that turns out to be gone at its first tick, and one whose tick hangs
    class Gone(Held):
        async def tick(self, namespace: str, name: str, uid: str) -> timedelta | None:
            found = await super().tick(namespace, name, uid)
            return None if name == "gone" else found

    clock = Turned()
    subject = await at_work(Gone("a"), clock, "a", "gone")

    # When all is long overdue, then only the other one is late, and nobody is evaluated any more
    clock.at += OVERDUE_SECONDS + 1
    assert [said.split()[0] for said in subject.late()] == ["shop/a"]
    assert subject.hangs()
    await subject.close()


async def test_a_crew_that_hangs_stops_the_pulse_and_one_that_is_partly_late_does_not() -> None:
    # Given a pulse that is kept while the crew comes on, as the operator keeps it
    clock = Turned()
    subject = await at_work(ticks := Held("a"), clock, "a", "b")
    pulse = Pulse(clock, limit_seconds=0.03)
    beating = asyncio.create_task(pulse.keep(subject.hangs))

    async def felt() -> None:
        async with asyncio.timeout(10):
            while pulse.missing():  # noqa: ASYNC110 - it tells nobody that it has beaten
                await asyncio.sleep(0.001)

    # When one of two is overdue, then this process still leads
    clock.at += OVERDUE_SECONDS + 1
    await felt()

    # When nobody is evaluated any more, then it does not, and says why
    subject.lost(raw(uid="b", name="b"))
    await turned_over()
    clock.at += 60
    await asyncio.sleep(0.05)
    assert pulse.missing() == "the operator has evaluated nothing for 60 s"

    # And when the evaluation comes to its end, it does again
    ticks.go_on.set()
    await felt()
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    await subject.close()
