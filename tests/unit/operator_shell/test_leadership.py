"""When a candidate may take the Lease over, and for how long its holder relies on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from kubernetes.aio.client.models import V1Lease, V1LeaseSpec, V1ObjectMeta

from sark_api.status import Leader
from sark_operator.shell import leadership as module
from sark_operator.shell.api import ObjectMissingError, StaleVersionError
from sark_operator.shell.leadership import Leadership, LeaseLostError
from sark_operator.shell.lease import Lease
from sark_operator.shell.settings import parse_settings
from sark_operator.shell.telemetry import Telemetry

RENEWED = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = 15


@dataclass
class Store:
    """Stands for the API server: a Lease of somebody else, touched or renewed at each look."""

    touched: bool
    renewed: bool
    looks: int = 0
    what = "Lease sark/operator"

    async def read(self) -> Lease:
        self.looks += 1
        at = RENEWED + timedelta(seconds=self.looks if self.renewed else 0)
        version = str(self.looks if self.touched or self.renewed else 1)
        return Lease(
            V1Lease(
                metadata=V1ObjectMeta(name="operator", uid="u", resource_version=version),
                spec=V1LeaseSpec(holder_identity="dead", lease_duration_seconds=SECONDS, renew_time=at),
            )
        )

    async def replace(self, lease: Lease) -> Lease:
        return lease


class Clock:
    """One that goes on by two seconds whenever it is looked at."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return RENEWED + timedelta(days=1)

    def monotonic(self) -> float:
        self.seconds += 2
        return self.seconds


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("touched", "renewed", "taken"),
    [(False, False, True), (True, False, True), (False, True, False)],
    ids=["a dead holder", "a dead holder, and somebody who annotates the Lease", "a live holder"],
)
async def test_a_lease_is_taken_over_when_its_holder_has_been_silent(
    monkeypatch: pytest.MonkeyPatch, touched: bool, renewed: bool, taken: bool
) -> None:
    store = Store(touched=touched, renewed=renewed)
    monkeypatch.setattr(module, "LeaseStore", lambda *_, **__: store)
    settings = parse_settings(["--namespace", "shop", "--lease-namespace", "sark"], {})
    subject = Leadership(cast("Any", None), settings, Clock(), Telemetry(), end_process=lambda _: None)

    tries = [await subject._tried() for _ in range(20)]

    assert any(tries) is taken
    if taken:
        assert tries.index(True) >= SECONDS // 2 - 1


class UnreadLog:
    """A log that takes nothing, as a full pipe that nobody reads, until it is over."""

    def __init__(self) -> None:
        self.tried = threading.Event()
        self.over = threading.Event()

    def error(self, *_: object, **__: object) -> None:
        self.tried.set()
        self.over.wait(20)


def test_a_process_that_must_end_ends_although_nobody_reads_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a process whose Lease has run out, and a log that takes nothing
    log, ended = UnreadLog(), list[int]()
    monkeypatch.setattr(module, "_log", log)
    monkeypatch.setattr(module, "LAST_WORD_SECONDS", 0.05)
    settings = parse_settings(["--namespace", "shop", "--lease-namespace", "sark"], {})
    subject = Leadership(cast("Any", None), settings, Clock(), Telemetry(), end_process=ended.append)

    # When it is ended
    ending = threading.Thread(target=subject._end)
    ending.start()
    ending.join(10)

    # Then it does not wait for its last word
    assert log.tried.wait(10)
    assert ended == [module.LEASE_LOST_STATUS]
    log.over.set()


def test_a_process_that_must_end_ends_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a process that has as many threads as it may
    ended: list[int] = []
    settings = parse_settings(["--namespace=shop", "--lease-namespace=shop"], {})
    subject = Leadership(cast("Any", None), settings, Clock(), Telemetry(), end_process=ended.append)

    def refuses(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    # When its Lease has run out, then it has ended all the same
    monkeypatch.setattr(threading.Thread, "start", refuses)
    with pytest.raises(RuntimeError):
        subject._end()
    assert ended == [module.LEASE_LOST_STATUS]


class HandClock:
    """One that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> datetime:
        return RENEWED + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Shelf:
    """Stands for the API server: keeps one Lease, and refuses a write on another version than its own."""

    what = "Lease sark/operator"

    def __init__(self, clock: HandClock, *, holder: str = "", seconds: int = SECONDS) -> None:
        self.clock = clock
        self.lease: Lease | None = self.put(holder, seconds)
        self.writes: list[str] = []
        """Who held it after each write of ours."""
        self.takes = 0.0
        """Seconds from a request to its answer."""
        self.hangs = False

    def put(self, holder: str, seconds: int = SECONDS) -> Lease:
        """Have somebody else write it."""
        self.lease = Lease(
            V1Lease(
                metadata=V1ObjectMeta(name="operator", uid="u", resource_version=f"{holder}-{self.clock.seconds}"),
                spec=V1LeaseSpec(
                    holder_identity=holder, lease_duration_seconds=seconds, renew_time=self.clock.now(), lease_transitions=4
                ),
            )
        )
        return self.lease

    async def read(self) -> Lease | None:
        return self.lease

    async def create(self, holder: str, seconds: int, _now: datetime, _scope: object) -> Lease:
        self.writes.append(holder)
        return self.put(holder, seconds)

    async def replace(self, lease: Lease) -> Lease:
        if self.hangs:
            await asyncio.Event().wait()
        if self.lease is None:
            raise ObjectMissingError("gone")
        if lease.version != self.lease.version:
            raise StaleVersionError("changed")
        self.clock.seconds += self.takes
        self.writes.append(lease.holder)
        metadata = lease.raw.metadata
        assert metadata is not None
        version = metadata.model_copy(update={"resource_version": f"ours-{len(self.writes)}"})
        self.lease = Lease(lease.raw.model_copy(update={"metadata": version}))
        return self.lease

    @property
    def holder(self) -> str:
        return self.lease.holder if self.lease else "nobody: it is gone"


@dataclass
class Stage:
    """A process that may lead, the Lease and the clock."""

    clock: HandClock
    shelf: Shelf
    subject: Leadership


Set = Callable[..., Stage]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Set one up."""

    def make(*, unfit: str = "", **lease: Any) -> Stage:
        clock = HandClock()
        shelf = Shelf(clock, **lease)
        monkeypatch.setattr(module, "LeaseStore", lambda *_, **__: shelf)
        monkeypatch.setattr(module, "FITNESS_SECONDS", 0.01)
        settings = parse_settings(["--namespace=shop", "--lease-namespace=sark", "--identity=pod-1"], {})
        ended: list[int] = []
        subject = Leadership(cast("Any", None), settings, clock, Telemetry(), unfit=lambda: unfit, end_process=ended.append)
        return Stage(clock, shelf, subject)

    return make


@pytest.mark.asyncio
async def test_a_lease_is_relied_on_for_two_thirds_of_its_length_from_when_it_was_asked_for(stage: Set) -> None:
    # Given an API server that takes three seconds to answer
    on = stage()
    on.shelf.takes = 3
    asked_at = on.clock.seconds
    assert await on.subject._tried()

    # Then those count too, and another one may hold it when its whole length is over
    on.clock.seconds = asked_at + SECONDS * 2 / 3 - 0.1
    assert on.subject.held
    on.clock.seconds = asked_at + SECONDS * 2 / 3
    assert not on.subject.held
    assert on.subject._expires_at == asked_at + SECONDS


@pytest.mark.asyncio
async def test_each_holder_has_a_later_term(stage: Set) -> None:
    on = stage(holder="dead")
    await on.subject._tried()
    on.clock.seconds += SECONDS
    assert await on.subject._tried()
    assert on.subject.term == Leader(identity="pod-1", lease="u", term=5)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("holder", "seconds"), [("dead", 60), ("dead", 5), ("pod-1", SECONDS)], ids=["longer", "shorter", "under our own name"]
)
async def test_what_another_holds_is_taken_when_neither_length_is_left(stage: Set, holder: str, seconds: int) -> None:
    on = stage(holder=holder, seconds=seconds)
    length = max(seconds, SECONDS)

    assert not await on.subject._tried()
    on.clock.seconds += length - 0.1
    assert not await on.subject._tried()
    on.clock.seconds += 0.1
    assert await on.subject._tried()


@pytest.mark.asyncio
async def test_a_lease_that_is_deleted_is_not_made_while_its_holder_may_act(stage: Set) -> None:
    on = stage(holder="alive")
    assert not await on.subject._tried()

    on.shelf.lease = None
    assert not await on.subject._tried()
    on.clock.seconds += SECONDS - 0.1
    assert not await on.subject._tried()
    on.clock.seconds += 0.1
    assert await on.subject._tried()


@pytest.mark.asyncio
@pytest.mark.parametrize("holder", ["second", "pod-1"], ids=["another", "another of our name"])
async def test_a_lease_that_another_holds_by_now_is_lost_and_left_to_it(stage: Set, holder: str) -> None:
    on = stage()
    assert await on.subject._tried()
    on.clock.seconds += 1
    on.shelf.put(holder)

    with pytest.raises(LeaseLostError, match=f"is held by {holder}"):
        await on.subject._renew()

    assert not on.subject.held
    await on.subject.release()
    assert on.shelf.holder == holder


@pytest.mark.asyncio
async def test_a_process_that_is_unfit_gives_the_lease_up_at_once(stage: Set) -> None:
    on = stage(unfit="it hangs")
    assert await on.subject._tried()

    with pytest.raises(LeaseLostError, match="is given up: it hangs"):
        await asyncio.wait_for(on.subject.keep(), 20)

    assert not on.subject.held
    assert on.shelf.holder == ""


@pytest.mark.asyncio
async def test_what_is_released_is_not_relied_on_any_more(stage: Set) -> None:
    on = stage()
    assert await on.subject._tried()

    await on.subject.release()

    assert not on.subject.held
    assert on.shelf.holder == ""


@pytest.mark.asyncio
async def test_it_is_renewed_when_a_third_of_its_length_has_passed(stage: Set) -> None:
    on = stage()
    assert await on.subject._tried()
    on.clock.seconds += SECONDS / 3

    keeping = asyncio.create_task(on.subject.keep())
    async with asyncio.timeout(20):
        while len(on.shelf.writes) < 2:  # noqa: ASYNC110 - nothing tells of a write
            await asyncio.sleep(0.01)
    keeping.cancel()

    assert on.subject._left() == pytest.approx(SECONDS * 2 / 3)


@pytest.mark.asyncio
async def test_a_renewal_without_an_answer_is_waited_for_only_as_long_as_the_lease_is_relied_on(stage: Set) -> None:
    # Given a Lease that is relied on for a moment more, and an API server that does not answer
    on = stage()
    assert await on.subject._tried()
    on.clock.seconds += SECONDS * 2 / 3 - 0.05
    on.shelf.hangs = True

    renewing = asyncio.create_task(on.subject._renew())
    await asyncio.sleep(0.2)
    on.clock.seconds += 0.05

    # Then it is lost
    with pytest.raises(LeaseLostError, match="was not renewed within 10 s"):
        await asyncio.wait_for(renewing, 20)
