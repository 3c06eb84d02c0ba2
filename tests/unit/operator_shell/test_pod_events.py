"""What becomes of a watch of pods when the server says something else than it should."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from sark_api.status import Leader
from sark_operator.shell import documents
from sark_operator.shell.api import ClusterError, RefusedError, UnavailableError
from sark_operator.shell.cluster import KubernetesCluster
from sark_operator.shell.connection import open_client
from sark_operator.shell.pods import ExpiredError
from sark_operator.shell.telemetry import Telemetry

pytestmark = pytest.mark.asyncio
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Standby:
    """Stands for a process that does not lead, and may read."""

    held = False
    term = Leader()


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[KubernetesCluster]:
    """Open the door to a server that answers every request by `handler`."""
    application = web.Application()
    application.router.add_get("/api/v1/namespaces/shop/pods", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with open_client(configuration) as client:
            yield KubernetesCluster(client, Telemetry(), Standby(), instance="operator-1")
    finally:
        await runner.cleanup()


def saying(*pieces: bytes, hang_up: bool = False) -> Handler:
    """Return a handler that sends `pieces` one by one, and hangs up in the middle of its answer where that is asked for."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.query["watch"] == "true"
        assert request.query["resourceVersion"] == "7"
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        if hang_up and request.transport is not None:
            request.transport.abort()
        return response

    return answer


async def kinds(door: KubernetesCluster) -> list[object]:
    async with door.pod_events("shop", "7", seconds=5, patience=5.0) as events:
        return [event.get("type") async for event in events]


async def test_events_are_lines_however_they_are_cut():
    async with serving(saying(b'{"type": "AD', b'DED"}\n{"type": "MODIFIED"}\n', b"\n", b'{"type":', b' "DELETED"}\n')) as door:
        assert await kinds(door) == ["ADDED", "MODIFIED", "DELETED"]


@pytest.mark.parametrize(
    ("status", "error"), [(410, ExpiredError), (403, RefusedError), (429, UnavailableError), (500, UnavailableError)]
)
async def test_a_watch_that_cannot_be_opened_says_why(status: int, error: type[Exception]):
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "Status", "message": "too old resource version"}, status=status)

    async with serving(refuse) as door:
        with pytest.raises(error, match="watch pods of namespace shop: too old resource version"):
            await kinds(door)


@pytest.mark.parametrize("line", [b"[]\n", b"{\n", b"\xff\n", b"[" * 3000 + b"\n"])
async def test_what_is_no_event_ends_the_watch(line: bytes):
    async with serving(saying(b'{"type": "ADDED"}\n', line)) as door:
        with pytest.raises(ClusterError, match="an event has an unexpected form"):
            await kinds(door)


async def test_a_line_without_end_is_not_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(documents, "MAX_LINE_BYTES", 1000)
    async with serving(saying(*[b"x" * 300] * 20)) as door:
        with pytest.raises(ClusterError, match="a line is longer than 1000 bytes"):
            await kinds(door)


async def test_a_connection_that_breaks_is_told_from_a_watch_that_ends():
    async with serving(saying(b'{"type": "ADDED"}\n', hang_up=True)) as door:
        with pytest.raises(UnavailableError, match="it has broken off"):
            await kinds(door)
