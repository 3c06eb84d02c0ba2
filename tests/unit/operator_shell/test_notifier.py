"""Telling people: once each, again where it failed, and never in anybody's way."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sark_api.status import HISTORY_LIMIT, HistoryEntry, Leader, Notified, SarkRolloutStatus
from sark_operator.core.notices import Notice, from_now_on, mark_of
from sark_operator.shell import notifier as module
from sark_operator.shell.api import RolloutObject
from sark_operator.shell.notifier import Notifier
from sark_operator.shell.telemetry import Telemetry

pytestmark = pytest.mark.asyncio

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ROLLOUT = RolloutObject({"metadata": {"namespace": "shop", "name": "gateway", "uid": "u1", "resourceVersion": "1"}})


@dataclass
class Receiver:
    """Stands for one address."""

    name: str = "line 1 (JSON)"
    failures: int = 0
    error: Exception | None = None
    hang: threading.Event | None = None
    seconds: float = 0.0
    taken: list[tuple[str, str]] = field(default_factory=list)
    tries: int = 0
    warned: list[bool] = field(default_factory=list)

    label: str = ""

    def __post_init__(self) -> None:
        self.label = self.label or f"r{id(self)}"

    @property
    def key(self) -> str:
        return str(id(self))

    def wants(self, _rollout: str, _notice: Notice) -> bool:
        return True

    def send(self, title: str, text: str, *, warning: bool) -> bool:
        self.tries += 1
        self.warned.append(warning)
        if self.hang is not None:
            self.hang.wait(10)
        time.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        if self.tries <= self.failures:
            return False
        self.taken.append((title, text))
        return True


class Leading:
    held = True
    term = Leader()


def status(*seconds: float) -> SarkRolloutStatus:
    entries = [
        HistoryEntry(
            time=NOW + timedelta(seconds=at),
            actor="operator",
            reason="Advanced",
            from_percent=5,
            to_percent=10,
            revision=1,
            message=f"at {at}",
        )
        for at in seconds
    ]
    return SarkRolloutStatus(history=entries, notified=from_now_on([], NOW))


class Storing(Notifier):
    """Has a mark that moves stored with the next turn of the loop, as ticks do."""

    def __init__(self, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, soon_seconds=0.0, **options)
        self.stored: dict[str, tuple[RolloutObject, SarkRolloutStatus]] = {}
        self.writes: list[str] = []
        self.dead = False
        self.on_told = self._write

    def tell(self, rollout: RolloutObject, status: SarkRolloutStatus) -> None:
        self.stored[rollout.uid] = (rollout, status)
        super().tell(rollout, status)

    def _write(self, uid: str) -> None:
        self.writes.append(uid)
        asyncio.get_running_loop().call_soon(self._store, uid)

    def _store(self, uid: str) -> None:
        rollout, status = self.stored[uid]
        if not self.dead and uid in self._marks:
            self.tell(rollout, status.model_copy(update={"notified": self.mark(rollout, status, NOW)}))


def notifier(*receivers: Receiver, leads: Any = Leading) -> tuple[Storing, Telemetry]:
    telemetry = Telemetry()
    return Storing(lambda: receivers, leads(), telemetry, waits=(0.0, 0.0)), telemetry


async def settled(subject: Notifier) -> None:
    while tasks := [task for news in subject._news.values() for task in news.tasks.values()]:
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


async def test_each_transition_is_told_once_and_the_mark_moves() -> None:
    receiver = Receiver()
    subject, _ = notifier(receiver)
    seen = status(0, 1)

    # When the same status is handed over again and again
    for _ in range(3):
        subject.tell(ROLLOUT, seen)
        await settled(subject)

    # Then each was told once, in order, and the next tick learns how far
    assert words(receiver) == ["at 0", "at 1"]
    assert receiver.taken[0][0] == "SarkRollout shop/gateway: Advanced (5% to 10%)"
    mark = subject.mark(ROLLOUT, seen, NOW)
    assert (mark.until, mark.count) == (NOW + timedelta(seconds=1), 1)
    assert subject.writes[:2] == ["u1", "u1"]
    assert receiver.warned == [False, False]
    await subject.close()


async def test_when_notices_are_turned_on_what_has_happened_before_counts_as_told() -> None:
    subject, _ = notifier(Receiver())
    seen = status(0, 1).model_copy(update={"notified": None})
    assert subject.mark(ROLLOUT, seen, NOW) == Notified(until=NOW + timedelta(seconds=1), count=1)
    await subject.close()


async def test_an_address_that_was_reached_is_not_told_again_for_another_one() -> None:
    good, bad = Receiver(), Receiver(failures=2)
    subject, telemetry = notifier(good, bad)
    subject.tell(ROLLOUT, status(0))
    await settled(subject)
    assert (len(good.taken), len(bad.taken)) == (1, 1)
    assert telemetry.registry.get_sample_value("sark_operator_notifications_total", {"outcome": "failed"}) == 2
    await subject.close()


@pytest.mark.parametrize("receiver", [Receiver(failures=99), Receiver(error=RuntimeError("hush"))], ids=["refuses", "raises"])
async def test_one_that_never_takes_it_is_given_up_and_holds_nobody_up(
    receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    subject, telemetry = notifier(receiver)
    seen = status(0, 1)
    subject.tell(ROLLOUT, seen)
    await settled(subject)
    assert receiver.tries == 6
    assert subject.mark(ROLLOUT, seen, NOW).until == NOW + timedelta(seconds=1)
    assert telemetry.registry.get_sample_value("sark_operator_notifications_total", {"outcome": "given up"}) == 2
    assert "hush" not in "".join(capsys.readouterr())
    await subject.close()


async def test_telling_returns_at_once_and_a_receiver_that_hangs_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_SECONDS", 0.05)
    release = threading.Event()
    subject, telemetry = notifier(Receiver(hang=release))
    subject.tell(ROLLOUT, status(0))
    async with asyncio.timeout(8):
        await settled(subject)
    release.set()
    # And one that has not answered by then has not taken it
    outcomes = {
        name: telemetry.registry.get_sample_value("sark_operator_notifications_total", {"outcome": name})
        for name in ("sent", "given up")
    }
    assert outcomes == {"sent": None, "given up": 1}
    await subject.close()


def tell_of_many(subject: Notifier, count: int) -> None:
    """Hand over one transition of each of so many rollouts."""
    for number in range(count):
        metadata = {"namespace": "shop", "name": f"r{number}", "uid": f"u{number}", "resourceVersion": "1"}
        subject.tell(RolloutObject({"metadata": metadata}), status(0))


async def test_all_are_told_when_many_go_back_at_once_however_long_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a receiver that takes each notice in time, and more of them than all tries together would have time for
    monkeypatch.setattr(module, "SEND_SECONDS", 0.2)
    receiver = Receiver(seconds=0.05)
    subject, telemetry = notifier(receiver)
    tell_of_many(subject, 80)
    async with asyncio.timeout(20):
        await settled(subject)

    # Then each was told, and none is given up
    assert len({title for title, _ in receiver.taken}) == 80
    assert telemetry.registry.get_sample_value("sark_operator_notifications_total", {"outcome": "given up"}) is None
    await subject.close()


async def test_a_receiver_that_hangs_takes_nothing_from_another() -> None:
    # Given one that hangs, and stands before one that does not
    release, healthy = threading.Event(), Receiver("healthy")
    subject, _ = notifier(Receiver("dead", hang=release), healthy)
    tell_of_many(subject, 8)

    # Then that one is told of all of them meanwhile
    async with asyncio.timeout(5):
        while len(healthy.taken) < 8:  # noqa: ASYNC110 - it is told in threads
            await asyncio.sleep(0.01)
    release.set()
    await settled(subject)
    await subject.close()


async def test_a_line_that_does_not_move_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given notices before one that hang, so that it never comes to its turn
    monkeypatch.setattr(module, "NOTICE_SECONDS", 0.1)
    release = threading.Event()
    receiver = Receiver(hang=release)
    subject, telemetry = notifier(receiver)
    tell_of_many(subject, 5)
    async with asyncio.timeout(5):
        await settled(subject)

    # Then whatever else happens to the rollouts does not wait for it
    assert telemetry.registry.get_sample_value("sark_operator_notifications_total", {"outcome": "given up"}) == 5
    assert receiver.tries == 4
    release.set()
    await subject.close()


async def test_nothing_that_waits_in_line_is_told_once_another_process_leads() -> None:
    # Given more notices than are sent at once, and a Lease that is lost while the first are under way
    leads, release = Leading(), threading.Event()
    receiver = Receiver(hang=release)
    subject, telemetry = notifier(receiver, leads=lambda: leads)
    tell_of_many(subject, 12)
    async with asyncio.timeout(5):
        while receiver.tries < 4:  # noqa: ASYNC110 - it is told in threads
            await asyncio.sleep(0.01)
    leads.held = False
    release.set()
    await settled(subject)

    # Then the successor tells the others
    assert receiver.tries == 4
    assert telemetry.registry.get_sample_value("sark_operator_notifications_total", {"outcome": "given up"}) is None
    await subject.close()


async def test_what_is_refused_for_the_last_time_when_the_lease_is_lost_is_left_to_the_successor() -> None:
    # Given an address that takes nothing, and a Lease that is lost while it is tried for the last time
    leads = Leading()

    class Refusing(Receiver):
        def send(self, title: str, text: str, *, warning: bool) -> bool:
            leads.held = self.tries < 2
            return super().send(title, text, warning=warning)

    receiver = Refusing(failures=99)
    subject, telemetry = notifier(receiver, leads=lambda: leads)
    subject.tell(ROLLOUT, status(0))
    await settled(subject)

    # Then it is not given up here
    assert receiver.tries == 3
    assert telemetry.registry.get_sample_value("sark_operator_notifications_total", {"outcome": "given up"}) is None
    assert subject.mark(ROLLOUT, status(0), NOW) == from_now_on([], NOW)
    await subject.close()


async def test_one_that_does_not_lead_tells_nothing() -> None:
    class Gone(Leading):
        held = False

    receiver = Receiver()
    subject, _ = notifier(receiver, leads=Gone)
    subject.tell(ROLLOUT, status(0))
    await settled(subject)
    assert receiver.tries == 0
    await subject.close()


async def test_an_address_that_was_reached_is_known_again_when_the_file_is_edited_meanwhile() -> None:
    # Given two addresses, of which the second does not take the notice the first time, and a line put on top of the file then,
    # when it is noted that the first has taken it
    edited = threading.Event()
    first, second, new = Receiver("first"), Receiver("second", failures=1, hang=edited), Receiver("new")
    subject = Storing(
        lambda: (new, first, second) if edited.is_set() else (first, second), Leading(), Telemetry(), waits=(0.0, 0.0)
    )

    subject.tell(ROLLOUT, status(1))
    async with asyncio.timeout(5):
        while mark_of(subject.mark(ROLLOUT, status(1), NOW), first.label).until == NOW:  # noqa: ASYNC110 - it is told in threads
            await asyncio.sleep(0.01)
    edited.set()
    await settled(subject)

    # Then each is told once, and the new one nothing that another one was told before it came
    assert [len(receiver.taken) for receiver in (first, second, new)] == [1, 1, 0]


async def test_what_is_stored_last_of_a_rollout_that_is_gone_is_told_too() -> None:
    # Given a notice under way when the deletion's own transition is stored, and no tick that follows
    hang = threading.Event()
    receiver = Receiver(hang=hang)
    subject, _ = notifier(receiver)
    subject.tell(ROLLOUT, status(1))
    await asyncio.sleep(0.01)
    subject.tell(ROLLOUT, status(1, 2))
    subject.forget("u1")

    hang.set()
    await settled(subject)
    assert [text.split("\n")[0] for _, text in receiver.taken] == ["at 1", "at 2"]


async def test_of_a_rollout_that_is_gone_no_notice_waits_for_a_note_that_nobody_stores() -> None:
    # Given a rollout that goes while a notice is under way, so that its status is stored no more
    hang = threading.Event()
    receiver = Receiver(hang=hang)
    subject, _ = notifier(receiver)
    subject.tell(ROLLOUT, status(1, 2))
    await asyncio.sleep(0.01)
    subject.dead = True
    subject.forget("u1")

    # When it is taken, then the next one is told as soon
    hang.set()
    async with asyncio.timeout(module.STORE_SECONDS / 3):
        await settled(subject)
    assert words(receiver) == ["at 1", "at 2"]
    # And nothing is known of it any more
    assert (subject._marks, subject._news, subject._gone) == ({}, {}, set())


def words(receiver: Receiver) -> list[str]:
    return [text.split("\n")[0] for _, text in receiver.taken]


async def test_an_address_that_is_dead_keeps_no_later_notice_from_another() -> None:
    # Given an address that hangs on the first of three transitions, of which the third is stored meanwhile
    release = threading.Event()
    dead, good = Receiver("dead", hang=release), Receiver("good")
    subject, _ = notifier(dead, good)
    subject.tell(ROLLOUT, status(0, 1))
    subject.tell(ROLLOUT, status(0, 1, 2))

    # Then the other one is told of all of them in order, and none counts as told: a successor has to begin with the first
    async with asyncio.timeout(5):
        while len(good.taken) < 3:  # noqa: ASYNC110 - it is told in threads
            await asyncio.sleep(0.01)
    assert words(good) == ["at 0", "at 1", "at 2"]
    mark = subject.mark(ROLLOUT, status(0, 1, 2), NOW)
    assert mark.model_copy(update={"addresses": None}) == from_now_on([], NOW)
    assert mark_of(mark, dead.label) == from_now_on([], NOW)
    assert mark_of(mark, good.label).until == NOW + timedelta(seconds=2)

    # And when it answers again it is told of the same, once each, and that is noted
    release.set()
    await settled(subject)
    assert words(dead) == words(good)
    assert (dead.tries, good.tries) == (3, 3)
    assert subject.mark(ROLLOUT, status(0, 1, 2), NOW).until == NOW + timedelta(seconds=2)
    await subject.close()


async def test_what_an_address_refuses_it_is_told_before_what_comes_after_it() -> None:
    receiver, good = Receiver(failures=2), Receiver()
    subject, _ = notifier(receiver, good)
    subject.tell(ROLLOUT, status(0, 1))
    await settled(subject)
    assert words(receiver) == words(good) == ["at 0", "at 1"]
    assert (receiver.tries, good.tries) == (4, 2)
    await subject.close()


async def test_of_what_waits_for_a_dead_address_the_oldest_is_given_up() -> None:
    # Given an address that hangs, and more transitions meanwhile than a history holds
    release = threading.Event()
    dead, good = Receiver("dead", hang=release), Receiver("good")
    subject, telemetry = notifier(dead, good)
    for last in range(HISTORY_LIMIT + 5):
        subject.tell(ROLLOUT, status(*range(max(0, last - HISTORY_LIMIT + 1), last + 1)))
        await asyncio.sleep(0.01)

    # Then it is told of as many as that, and of the one it had begun with, and the other one of all
    release.set()
    await settled(subject)
    assert words(dead) == ["at 0", *(f"at {number}" for number in range(5, HISTORY_LIMIT + 5))]
    assert words(good) == [f"at {number}" for number in range(HISTORY_LIMIT + 5)]
    assert telemetry.registry.get_sample_value("sark_operator_notifications_total", {"outcome": "given up"}) == 5
    await subject.close()


async def test_nobody_waits_for_an_address_that_is_taken_out_of_the_file() -> None:
    # Given an address that takes nothing, and a file without it before it is tried again
    dead, good = Receiver("dead", failures=99), Receiver("good")
    subject = Storing(lambda: (good,) if dead.tries else (dead, good), Leading(), Telemetry(), waits=(0.0, 0.0))
    subject.tell(ROLLOUT, status(0))
    await settled(subject)

    # Then the notice counts as told
    assert (dead.tries, len(good.taken)) == (1, 1)
    assert subject.mark(ROLLOUT, status(0), NOW).count == 1
    assert not subject._news
    await subject.close()


async def test_an_address_that_was_taken_out_of_the_file_is_told_nothing_more() -> None:
    # Given an address with three notices in its line, and a file without it after the first
    removed, good = Receiver("removed"), Receiver("good")
    subject = Storing(lambda: (good,) if removed.tries else (removed, good), Leading(), Telemetry(), waits=(0.0, 0.0))
    subject.tell(ROLLOUT, status(0, 1, 2))
    await settled(subject)

    assert (removed.tries, len(good.taken)) == (1, 3)
    assert subject.mark(ROLLOUT, status(0, 1, 2), NOW).until == NOW + timedelta(seconds=2)
    await subject.close()


async def test_where_all_addresses_take_a_notice_soon_one_note_is_for_all() -> None:
    addresses = [Receiver(name) for name in ("one", "two", "three")]
    subject = Notifier(lambda: addresses, Leading(), Telemetry(), soon_seconds=60)
    notes: list[str] = []
    subject.on_told = notes.append
    subject.tell(ROLLOUT, status(0))
    await settled(subject)

    assert [len(each.taken) for each in addresses] == [1, 1, 1]
    assert notes == ["u1"]
    await subject.close()


async def test_where_there_is_nobody_to_tell_the_mark_moves_all_the_same() -> None:
    subject, _ = notifier()
    subject.tell(ROLLOUT, status(0, 1))
    assert subject.mark(ROLLOUT, status(0, 1), NOW).until == NOW + timedelta(seconds=1)
    assert not subject._news


async def test_a_successor_tells_only_the_address_that_was_behind() -> None:
    # Given an address that hangs, another one that was told all, and a process that dies when that is stored
    release = threading.Event()
    dead, good = Receiver("dead", hang=release), Receiver("good")
    first, _ = notifier(dead, good)
    first.tell(ROLLOUT, status(0, 1))
    async with asyncio.timeout(5):
        while mark_of(first.stored["u1"][1].notified, good.label).until < NOW + timedelta(seconds=1):  # type: ignore[arg-type] # noqa: ASYNC110
            await asyncio.sleep(0.01)
    first.dead = True
    await first.close()
    release.set()
    kept = SarkRolloutStatus.model_validate(first.stored["u1"][1].to_wire())

    # When another one goes on, with the file in another order and one address more
    again, new = Receiver("dead", label=dead.label), Receiver("new")
    second, _ = notifier(new, good, again)
    second.tell(ROLLOUT, kept)
    await settled(second)

    # Then the one that was behind is told what it missed, nobody else is told anything, and all are level
    assert (words(again), words(good), words(new)) == (["at 0", "at 1"], ["at 0", "at 1"], [])
    assert second.stored["u1"][1].notified == status(0, 1).model_copy(update={"notified": second._marks["u1"]}).notified
    assert second._marks["u1"].addresses is None
    await second.close()


async def test_the_next_notice_waits_for_the_note_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a status that cannot be stored
    receiver = Receiver()
    subject, _ = notifier(receiver)
    subject.dead = True
    subject.tell(ROLLOUT, status(0, 1))
    await asyncio.sleep(0.1)
    assert words(receiver) == ["at 0"]

    # When it can, then the next one is told
    subject.dead = False
    subject._store("u1")
    await settled(subject)
    assert words(receiver) == ["at 0", "at 1"]
    await subject.close()

    # And where it never can, it is told all the same
    monkeypatch.setattr(module, "STORE_SECONDS", 0.05)
    other = Receiver()
    subject, _ = notifier(other)
    subject.dead = True
    subject.tell(ROLLOUT, status(0, 1))
    await settled(subject)
    assert words(other) == ["at 0", "at 1"]
    await subject.close()
