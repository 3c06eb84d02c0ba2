"""How many requests to the API server are under way at once, and that those that wait lose nothing by it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sark_operator.shell import cluster as door
from sark_operator.shell.api import UnavailableError
from sark_operator.shell.cluster import REQUESTS_AT_ONCE, KubernetesCluster
from sark_operator.shell.telemetry import Telemetry

pytestmark = pytest.mark.asyncio


class Leading:
    """Stands for the Lease: this process holds it."""

    held = True
    term: Any = None


class Server:
    """Counts the requests that are under way; they hang until `answer` is set."""

    def __init__(self) -> None:
        self.answer = asyncio.Event()
        self.under_way = self.most = 0

    async def ask(self) -> str:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.answer.wait()
        finally:
            self.under_way -= 1
        return "done"


@pytest.fixture
def cluster() -> KubernetesCluster:
    client: Any = object()  # no request of these tests uses it
    return KubernetesCluster(client, Telemetry(), Leading(), instance="operator-1")


async def test_only_so_many_are_under_way_at_once(cluster: KubernetesCluster) -> None:
    server = Server()
    asked = [asyncio.create_task(cluster.ask("read", "it", server.ask())) for _ in range(5 * REQUESTS_AT_ONCE)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert server.under_way == REQUESTS_AT_ONCE
    server.answer.set()
    assert await asyncio.gather(*asked) == ["done"] * len(asked)
    assert server.most == REQUESTS_AT_ONCE


async def test_a_deadline_begins_when_the_turn_has_come(cluster: KubernetesCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a server that answers none of the first requests, so that they are late
    monkeypatch.setattr(door, "CALL_SECONDS", 0.2)
    hung, well = Server(), Server()
    well.answer.set()
    first = [asyncio.create_task(cluster.ask("read", "it", hung.ask())) for _ in range(REQUESTS_AT_ONCE)]
    await asyncio.sleep(0)

    # When as many more have waited for as long as a deadline, then they are asked all the same
    later = await asyncio.gather(*(cluster.ask("read", "it", well.ask()) for _ in range(REQUESTS_AT_ONCE)))
    assert later == ["done"] * REQUESTS_AT_ONCE
    late = await asyncio.gather(*first, return_exceptions=True)
    assert all(isinstance(each, UnavailableError) for each in late)


async def test_what_is_urgent_does_not_wait_and_one_that_gives_up_takes_no_room(cluster: KubernetesCluster) -> None:
    # Given no room, and one that waits
    server, urgent = Server(), Server()
    urgent.answer.set()
    asked = [asyncio.create_task(cluster.ask("read", "it", server.ask())) for _ in range(REQUESTS_AT_ONCE)]
    await asyncio.sleep(0)
    waiting = asyncio.create_task(cluster.ask("read", "it", server.ask()))
    await asyncio.sleep(0)

    # Then what is urgent is asked, and the other one can give up
    assert await cluster._ask("read", "it", urgent.ask(), urgent=True) == "done"
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    server.answer.set()
    await asyncio.gather(*asked)
    assert await cluster.ask("read", "it", urgent.ask()) == "done"
    assert server.most == REQUESTS_AT_ONCE
