"""When the watch's word is taken for the pods, and when the API server is asked itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from sark_operator.shell import pod_watch, standing
from sark_operator.shell.api import ReadyPod, RefusedError, UnavailableError
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.pod_watch import PodWatch
from sark_operator.shell.pods import ExpiredError, SeenPod
from sark_operator.shell.standing import Standing

from .test_pods import event, kept, pod

pytestmark = pytest.mark.asyncio
LABELS = {"app": "shop"}
ASKED = (ReadyPod("asked", "10.0.0.2"),)


class Turned(SystemClock):
    """The machine's clock, that can be moved on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Server:
    """Stands for the API server: a list, and the events that are put into the open watch. An exception among them ends it."""

    def __init__(self) -> None:
        self.listed = [pod("a")]
        self.events: asyncio.Queue[Mapping[str, Any] | Exception | None] = asyncio.Queue()
        self.opened = asyncio.Semaphore(0)
        self.versions: list[str] = []
        self.lists = 0
        self.asked = 0
        self.list_error: Exception | None = None
        self.urgent: bool | None = None
        """Whether the list was asked for as by an evaluation that is urgent."""

    async def ready_pods(self, namespace: str, labels: Mapping[str, str]) -> Sequence[ReadyPod]:
        assert (namespace, labels) == ("shop", LABELS)
        self.asked += 1
        return ASKED

    async def all_pods(self, namespace: str) -> tuple[Sequence[SeenPod], str]:
        assert namespace == "shop"
        self.lists += 1
        self.urgent = standing.ours().urgent
        if self.list_error:
            raise self.list_error
        return kept(*self.listed), str(100 * self.lists)

    @asynccontextmanager
    async def pod_events(
        self, namespace: str, version: str, *, seconds: int, patience: float
    ) -> AsyncIterator[AsyncIterator[Mapping[str, Any]]]:
        assert (namespace, seconds > 0, patience > 0) == ("shop", True, True)
        self.versions.append(version)
        self.opened.release()
        yield self._events()

    async def _events(self) -> AsyncIterator[Mapping[str, Any]]:
        while (item := await self.events.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    async def shows(self, *items: Mapping[str, Any] | Exception | None) -> None:
        """Put `items` into the watch and wait until all of them have been taken."""
        for item in items:
            self.events.put_nowait(item)
        while not self.events.empty():  # noqa: ASYNC110 - the loop is let come round
            await asyncio.sleep(0)
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Turned:
    return Turned()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest_asyncio.fixture
async def watch(server: Server, clock: Turned, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PodWatch]:
    monkeypatch.setattr(pod_watch, "FIRST_RETRY_SECONDS", 0.0)
    followed = PodWatch(server, clock)
    yield followed
    await followed.close()


async def names(watch: PodWatch) -> list[str]:
    return [each.name for each in await watch.ready_pods("shop", LABELS)]


async def opened(watch: PodWatch, server: Server) -> None:
    """Ask once, which begins the watch, and wait until it is open."""
    assert await names(watch) == ["asked"]
    await server.opened.acquire()


async def test_a_watch_that_an_urgent_evaluation_begins_is_not_urgent(watch: PodWatch, server: Server) -> None:
    standing.adopt(Standing(urgent=True))
    await opened(watch, server)
    assert server.urgent is False


async def test_the_server_is_asked_until_the_watch_is_open_and_not_any_more_then(watch: PodWatch, server: Server):
    await opened(watch, server)

    await server.shows(event("ADDED", pod("b", 101)))

    assert await names(watch) == ["a", "b"]
    assert (server.asked, server.lists, server.versions) == (1, 1, ["100"])


async def test_a_watch_that_ends_goes_on_from_what_was_seen(watch: PodWatch, server: Server):
    await opened(watch, server)

    await server.shows(event("ADDED", pod("b", 101)), None)
    await server.opened.acquire()

    assert await names(watch) == ["a", "b"]
    assert (server.lists, server.versions) == (1, ["100", "101"])


@pytest.mark.parametrize("end", [UnavailableError("it has broken off"), ExpiredError("too old"), RuntimeError("a defect")])
async def test_a_watch_that_breaks_off_vouches_for_nothing_until_all_is_listed_anew(
    watch: PodWatch, server: Server, end: Exception
):
    # Given a watch that shows a pod which goes away unseen
    await opened(watch, server)
    server.listed = [pod("c")]
    server.list_error = UnavailableError("the API server is away")

    # When it breaks off, and the server cannot be asked for a list
    await server.shows(end)
    assert await names(watch) == ["asked"]

    # Then the watch is believed again when there has been one
    server.list_error = None
    await server.opened.acquire()
    assert await names(watch) == ["c"]


async def test_a_watch_that_has_fallen_silent_is_not_believed_for_longer_than_one(
    watch: PodWatch, server: Server, clock: Turned
):
    await opened(watch, server)
    assert await names(watch) == ["a"]

    clock.ahead += pod_watch.WATCH_SECONDS + pod_watch.GRACE_SECONDS

    assert await names(watch) == ["asked"]


async def test_who_may_not_watch_asks_and_tries_again_seldom(watch: PodWatch, server: Server):
    server.list_error = RefusedError("forbidden")

    for _ in range(3):
        assert await names(watch) == ["asked"]
        await asyncio.sleep(0)

    assert (server.lists, server.versions) == (1, [])


async def test_a_namespace_that_nobody_asks_for_is_left_and_found_again(watch: PodWatch, server: Server, clock: Turned):
    await opened(watch, server)
    clock.ahead += pod_watch.IDLE_SECONDS + 1

    await server.shows(None)

    # Then the next question begins anew
    await opened(watch, server)
    assert server.lists == 2


async def test_no_more_namespaces_are_followed_than_there_are_connections_for(
    server: Server, clock: Turned, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pod_watch, "MAX_NAMESPACES", 0)
    watch = PodWatch(server, clock)

    assert [await names(watch), await names(watch)] == [["asked"], ["asked"]]
    assert (server.asked, server.lists) == (2, 0)


async def test_a_watch_that_ends_at_once_is_none(watch: PodWatch, server: Server):
    # Given a server that opens every watch and ends it without a word
    await opened(watch, server)
    server.list_error = UnavailableError("not yet")

    await server.shows(None)

    # Then nothing vouches for the list it was to go on from
    assert await names(watch) == ["asked"]


async def test_all_is_listed_anew_from_time_to_time(watch: PodWatch, server: Server, clock: Turned):
    await opened(watch, server)
    server.listed = [pod("b")]
    clock.ahead += pod_watch.LIST_SECONDS

    await server.shows(event("BOOKMARK", {"metadata": {"resourceVersion": "101"}}), None)
    await server.opened.acquire()

    assert await names(watch) == ["b"]
    assert server.lists == 2


async def test_a_target_with_too_many_pods_is_refused_by_the_watch_too(
    watch: PodWatch, server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pod_watch, "MAX_PODS", 1)
    await opened(watch, server)
    await server.shows(event("ADDED", pod("b", 101)))

    with pytest.raises(RefusedError, match="app=shop selects more than"):
        await names(watch)


async def test_who_asks_while_it_closes_begins_nothing(server: Server, clock: Turned):
    watch = PodWatch(server, clock)
    await watch.close()

    assert await names(watch) == ["asked"]
    assert server.lists == 0
