"""Leadership on a real Lease: one leads, the other waits, and nobody acts when it may not."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from kubernetes import client
from kubernetes.aio.client import ApiClient, Configuration

from sark_e2e.control_plane import ControlPlane
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.connection import load_configuration
from sark_operator.shell.leadership import LEASE_LOST_STATUS, Leadership, LeaseLostError
from sark_operator.shell.settings import Settings, parse_settings
from sark_operator.shell.telemetry import Telemetry

pytestmark = pytest.mark.asyncio

SECONDS = 6
PATIENCE = 30.0
NAME = "sark-operator"


class Line(ApiClient):
    """A client whose line to the API server the test can cut."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration=configuration)
        self.cut = False
        self.deaf = 0
        """How many answers get lost, although the server did what was asked."""

    async def call_api(self, *arguments: Any, **options: Any) -> Any:
        if self.cut:
            raise OSError("the line is cut")
        answer = await super().call_api(*arguments, **options)
        if self.deaf and arguments[0] != "GET":
            self.deaf -= 1
            raise OSError("the answer is lost")
        return answer


class WrongClock(SystemClock):
    """A clock whose time of day is years away, and which has no microseconds to show."""

    def __init__(self, year: int) -> None:
        self._year = year

    def now(self) -> datetime:
        return datetime.now(UTC).replace(year=self._year, day=1, microsecond=0)


class Candidate:
    """One operator process, as far as leadership goes."""

    def __init__(self, line: Line, settings: Settings, year: int | None) -> None:
        self.line = line
        self.telemetry = Telemetry()
        self.ended_with: list[int] = []
        clock = SystemClock() if year is None else WrongClock(year)
        self.leadership = Leadership(line, settings, clock, self.telemetry, end_process=self.ended_with.append)

    @property
    def shown_as_sharing(self) -> bool:
        return self.telemetry.registry.get_sample_value("sark_operator_lease_shared") == 1

    @property
    def shown_as_leader(self) -> bool:
        return self.telemetry.registry.get_sample_value("sark_operator_leader") == 1

    async def acquire(self) -> None:
        await asyncio.wait_for(self.leadership.acquire(), PATIENCE)

    async def lose(self) -> LeaseLostError:
        """Keep the Lease until it is lost."""
        with pytest.raises(LeaseLostError) as lost:
            await asyncio.wait_for(self.leadership.keep(), PATIENCE)
        return lost.value

    @contextlib.asynccontextmanager
    async def keeping(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.leadership.keep())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


Enter = Callable[..., Awaitable[Candidate]]


@pytest_asyncio.fixture
async def enter(control_plane: ControlPlane, namespace: str) -> AsyncIterator[Enter]:
    """Return what makes a candidate of the given identity, on the test's own Lease."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(identity: str, *, year: int | None = None, serving: str = "") -> Candidate:
            served = f"--namespace={serving or namespace}"
            arguments = [f"--kubeconfig={control_plane.kubeconfig}", served, f"--identity={identity}"]
            settings = parse_settings([*arguments, f"--lease-namespace={namespace}", f"--lease-seconds={SECONDS}"], {})
            line = await stack.enter_async_context(Line(await load_configuration(settings)))
            candidate = Candidate(line, settings, year)
            stack.push_async_callback(candidate.leadership.release)
            return candidate

        yield make


@pytest.fixture
def lease(api: client.ApiClient, namespace: str) -> Callable[[], Any]:
    """Return what reads the Lease's spec."""
    return lambda: client.CoordinationV1Api(api).read_namespaced_lease(NAME, namespace).spec


@pytest.fixture
def change(api: client.ApiClient, namespace: str) -> Callable[[dict[str, object]], None]:
    """Return what changes the Lease behind its holder's back."""

    def patch(members: dict[str, object]) -> None:
        client.CoordinationV1Api(api).patch_namespaced_lease(NAME, namespace, members)

    return patch


async def test_the_first_takes_it_and_the_second_waits(enter: Enter, lease: Callable[[], Any]) -> None:
    # Given two candidates, of which the first leads and keeps leading
    first, second = await enter("first"), await enter("second")
    await first.acquire()
    async with first.keeping() as keeping:
        # When the second waits for longer than the Lease lasts without renewal
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(second.leadership.acquire(), SECONDS * 1.5)

        # Then it is still the first that leads, by a Lease that has been renewed
        assert first.leadership.held
        assert first.shown_as_leader
        assert not keeping.done()
        assert not second.leadership.held
        assert not second.shown_as_leader
        assert f"{NAME} is held by first" in second.leadership.waiting
        found = lease()
        assert (found.holder_identity, found.lease_duration_seconds, found.lease_transitions) == ("first", SECONDS, 0)
        assert found.renew_time > found.acquire_time


async def test_a_released_lease_is_taken_at_once(enter: Enter, lease: Callable[[], Any]) -> None:
    # Given a leader and a candidate that has seen it lead
    first, second = await enter("first"), await enter("second")
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    while not second.leadership.waiting:  # noqa: ASYNC110
        await asyncio.sleep(0.01)

    # When it releases the Lease
    await first.leadership.release()
    assert not first.leadership.held
    assert not first.shown_as_leader
    released_at = time.monotonic()
    await waiting

    # Then the candidate leads before a Lease that nobody released would have run out
    assert second.leadership.held
    assert time.monotonic() - released_at < SECONDS
    assert (lease().holder_identity, lease().lease_transitions) == ("second", 1)


@pytest.mark.parametrize("year", [2020, 2040])
async def test_silence_hands_it_over_whatever_the_clocks_say(enter: Enter, lease: Callable[[], Any], year: int) -> None:
    # Given a leader that falls silent, and a candidate whose time of day is years away from the leader's
    first, second = await enter("first"), await enter("second", year=year)
    await first.acquire()
    renewed_at = time.monotonic()

    # When the candidate waits
    await second.acquire()

    # Then it leads, but not before the whole Lease has passed, when the first has long stopped relying on it
    assert time.monotonic() - renewed_at >= SECONDS
    assert second.leadership.held
    assert not first.leadership.held
    assert (lease().holder_identity, lease().lease_transitions) == ("second", 1)

    # And the first finds out that it has lost it
    assert "not renewed" in str(await first.lose())


async def test_a_longer_lease_of_its_holder_is_honoured(enter: Enter, change: Callable[[dict[str, object]], None]) -> None:
    # Given a Lease whose holder relies on it for longer than the candidate would
    first, second = await enter("first"), await enter("second")
    await first.acquire()
    change({"spec": {"leaseDurationSeconds": SECONDS * 4}})

    # When it is silent for the candidate's own length, then the candidate still waits
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(second.leadership.acquire(), SECONDS * 1.5)


async def test_a_leader_that_cannot_renew_stops_before_another_may_begin(enter: Enter) -> None:
    # Given a leader whose line is cut
    first = await enter("first")
    await first.acquire()
    acquired_at = time.monotonic()
    first.line.cut = True

    # When it tries to keep the Lease, then it gives up while nobody else can have taken it
    lost = await first.lose()
    assert time.monotonic() - acquired_at < SECONDS
    assert "cannot be reached: the line is cut" in str(lost)
    assert not first.leadership.held
    assert not first.shown_as_leader
    assert first.ended_with == []


async def test_a_process_that_does_not_stop_in_time_is_ended(enter: Enter) -> None:
    # Given a leader that stops renewing and hangs
    first = await enter("first")
    await first.acquire()
    acquired_at = time.monotonic()

    # When its event loop is stuck until the Lease has run out, then it is ended all the same
    while not first.ended_with and time.monotonic() - acquired_at < PATIENCE:
        time.sleep(0.05)  # noqa: ASYNC251 - that is what being stuck means
    assert first.ended_with == [LEASE_LOST_STATUS]


async def test_a_lease_given_to_another_is_lost(enter: Enter, change: Callable[[dict[str, object]], None]) -> None:
    first = await enter("first")
    await first.acquire()

    change({"spec": {"holderIdentity": "usurper", "renewTime": "2026-01-01T00:00:00.000001Z"}})

    assert "is held by usurper" in str(await first.lose())
    assert not first.leadership.held


async def test_a_second_process_of_the_same_identity_is_another(enter: Enter, lease: Callable[[], Any]) -> None:
    # Given two processes that were given one identity by mistake
    first, double = await enter("same"), await enter("same")
    await first.acquire()

    # When the double waits, then it does not take what it did not write
    async with first.keeping():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(double.leadership.acquire(), SECONDS * 1.5)
        assert not double.leadership.held

    # And it does not release it either
    await double.leadership.release()
    assert lease().holder_identity == "same"


async def test_a_deleted_lease_is_lost_and_not_taken_while_its_holder_may_act(
    enter: Enter, api: client.ApiClient, namespace: str
) -> None:
    # Given a leader, and a candidate that has seen it lead
    first, second = await enter("first"), await enter("second")
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    while not second.leadership.waiting:  # noqa: ASYNC110
        await asyncio.sleep(0.01)

    # When someone deletes the Lease
    client.CoordinationV1Api(api).delete_namespaced_lease(NAME, namespace)
    lost = await first.lose()

    # Then the leader knows before the candidate leads
    assert "was deleted" in str(lost)
    assert not second.leadership.held
    await waiting
    assert second.leadership.held


async def test_a_label_on_the_lease_disturbs_nobody(
    enter: Enter, api: client.ApiClient, namespace: str, change: Callable[[dict[str, object]], None]
) -> None:
    first = await enter("first")
    await first.acquire()
    async with first.keeping() as keeping:
        change({"metadata": {"labels": {"team": "payments"}}})
        await asyncio.sleep(SECONDS)

        assert not keeping.done()
        assert first.leadership.held
    kept: Any = client.CoordinationV1Api(api).read_namespaced_lease(NAME, namespace)
    assert kept.metadata.labels == {"team": "payments"}


async def test_a_write_whose_answer_is_lost_is_recognised(enter: Enter, lease: Callable[[], Any]) -> None:
    # Given a server whose answers to the first write get lost
    first = await enter("first")
    first.line.deaf = 1

    # When the candidate tries again, then it knows its own Lease and need not wait for it to run out
    begun_at = time.monotonic()
    await first.acquire()
    assert time.monotonic() - begun_at < SECONDS
    assert lease().lease_transitions == 0

    # And so it is with a renewal
    async with first.keeping() as keeping:
        first.line.deaf = 1
        await asyncio.sleep(SECONDS)
        assert first.line.deaf == 0
        assert not keeping.done()
        assert first.leadership.held


async def test_what_was_taken_without_an_answer_is_released_too(enter: Enter, lease: Callable[[], Any]) -> None:
    # Given a candidate that is stopped before it hears that it leads
    first = await enter("first")
    first.line.deaf = 1
    waiting = asyncio.create_task(first.acquire())
    while first.line.deaf:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert lease().holder_identity == "first"

    await first.leadership.release()

    assert lease().holder_identity is None


async def test_a_clock_without_microseconds_writes_a_lease_the_server_takes(enter: Enter, lease: Callable[[], Any]) -> None:
    first = await enter("first", year=2030)

    await first.acquire()

    assert lease().renew_time.year == 2030


async def test_a_line_that_is_cut_while_waiting_is_waited_out(enter: Enter) -> None:
    first = await enter("first")
    first.line.cut = True
    waiting = asyncio.create_task(first.acquire())
    while "cannot be reached" not in first.leadership.waiting:  # noqa: ASYNC110
        await asyncio.sleep(0.01)

    first.line.cut = False
    await waiting

    assert first.leadership.held
    assert first.leadership.waiting == ""


async def test_releasing_what_cannot_be_reached_raises_nothing(enter: Enter) -> None:
    first = await enter("first")
    await first.acquire()
    first.line.cut = True

    await first.leadership.release()

    assert not first.leadership.held


async def test_a_lease_that_another_installation_holds_is_told_of(enter: Enter) -> None:
    # Given a leader that serves one namespace, its replica, and a candidate that is to serve another
    first, replica, other = await enter("first", serving="shop"), await enter("replica", serving="shop"), await enter("other")
    await first.acquire()
    async with first.keeping():
        waiting = [asyncio.create_task(each.leadership.acquire()) for each in (replica, other)]
        async with asyncio.timeout(PATIENCE):
            while not (replica.leadership.waiting and other.leadership.waiting):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

        # Then the candidate says so, and the replica has nothing to say
        assert "is held by first, which serves shop, while this one is to serve" in other.leadership.foreign
        assert other.shown_as_sharing
        assert replica.leadership.foreign == ""
        assert not replica.shown_as_sharing
        assert not first.shown_as_sharing

    # And it leads all the same when the Lease is given up, as in an update that changes what is served
    waiting[0].cancel()
    await asyncio.gather(waiting[0], return_exceptions=True)
    await first.leadership.release()
    await asyncio.wait_for(waiting[1], PATIENCE)
    assert other.leadership.held
    assert other.leadership.foreign == ""
    assert not other.shown_as_sharing

    # And then it is the first one that says so, for what it serves is not served any more
    again = asyncio.create_task(first.leadership.acquire())
    async with asyncio.timeout(PATIENCE):
        while not first.shown_as_sharing:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)
