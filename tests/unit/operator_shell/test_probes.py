from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from sark_operator.shell.bounded_server import BoundedServer
from sark_operator.shell.probes import MAX_CONNECTIONS, ProbeServer
from sark_operator.shell.settings import Address
from sark_operator.shell.telemetry import Telemetry

pytestmark = pytest.mark.asyncio


class Operator:
    """What the probes tell of."""

    def __init__(self) -> None:
        self.sick: list[str] = []
        self.unready: list[str] = []
        self.telemetry = Telemetry()

    @contextlib.asynccontextmanager
    async def served(self, *, connection_seconds: float = 10) -> AsyncIterator[ProbeServer]:
        server = ProbeServer(
            Address("127.0.0.1", 0),
            self.telemetry.registry,
            lambda: self.sick,
            lambda: self.unready,
            connection_seconds=connection_seconds,
        )
        await server.start()
        try:
            yield server
        finally:
            await server.stop()


async def ask(server: ProbeServer, path: str, method: str = "GET") -> tuple[int, str]:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
        session.request(method, f"http://127.0.0.1:{server.port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def closed(reader: asyncio.StreamReader) -> bool:
    """Return whether the other end closes within a few seconds without a word."""
    try:
        return await asyncio.wait_for(reader.read(1), 5) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_all_well_is_ok(path: str) -> None:
    async with Operator().served() as server:
        assert await ask(server, path) == (200, "ok\n")


async def test_each_probe_gives_its_own_reasons_one_a_line() -> None:
    # Given an operator that is sick for two reasons and not ready for another
    operator = Operator()
    operator.sick = ["shop/gateway: the tick is overdue", "the loop\nlags"]
    operator.unready = ["waits for the Lease"]

    async with operator.served() as server:
        assert await ask(server, "/healthz") == (503, "shop/gateway: the tick is overdue\nthe loop lags\n")
        assert await ask(server, "/readyz") == (503, "waits for the Lease\n")

        # When it recovers, then the next probe says so
        operator.sick = []
        assert await ask(server, "/healthz") == (200, "ok\n")


async def test_a_check_that_fails_is_no_good_news() -> None:
    def broken() -> list[str]:
        raise RuntimeError("checking failed")

    server = ProbeServer(Address("127.0.0.1", 0), Telemetry().registry, broken, list)
    await server.start()
    status, _ = await ask(server, "/healthz")
    await server.stop()

    assert status == 500


async def test_metrics_are_those_of_the_registry() -> None:
    operator = Operator()
    operator.telemetry.transition("shop/gateway", "Advanced")

    async with operator.served() as server:
        status, text = await ask(server, "/metrics")

    assert status == 200
    assert 'sark_operator_transitions_total{reason="Advanced",sark_rollout="shop/gateway"} 1.0' in text


async def test_the_page_of_metrics_is_made_beside_the_loop_and_once_for_all_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a page that takes long to make
    made: list[bool] = []
    began, go_on = threading.Event(), threading.Event()

    def slow(_registry: object) -> bytes:
        made.append(threading.current_thread() is threading.main_thread())
        began.set()
        assert go_on.wait(10)
        return f"page {len(made)}".encode()

    monkeypatch.setattr("sark_operator.shell.probes.generate_latest", slow)
    async with Operator().served() as server:
        first = asyncio.create_task(ask(server, "/metrics"))
        await asyncio.to_thread(began.wait, 10)

        # When others ask meanwhile, then the loop still answers
        others = [asyncio.create_task(ask(server, "/metrics")) for _ in range(10)]
        assert await ask(server, "/healthz") == (200, "ok\n")
        go_on.set()

        # Then all have a page, and the ten share what was begun after they had asked
        assert await first == (200, "page 1")
        assert {status for status, _ in await asyncio.gather(*others)} == {200}
        assert made == [False] * len(made)
        assert len(made) <= 3


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/healthz", 405),
        ("HEAD", "/metrics", 405),
        ("DELETE", "/readyz", 405),
        ("GET", "/", 404),
        ("GET", "/flags", 404),
    ],
)
async def test_nothing_else_is_served(method: str, path: str, status: int) -> None:
    async with Operator().served() as server:
        assert (await ask(server, path, method))[0] == status


async def test_a_connection_carries_one_request() -> None:
    async with Operator().served() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")

        answer = await asyncio.wait_for(reader.read(), 5)

        assert answer.startswith(b"HTTP/1.1 200")
        writer.close()


async def test_a_silent_connection_is_closed() -> None:
    async with Operator().served(connection_seconds=0.05) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

        assert await closed(reader)
        writer.close()


async def test_connections_that_ask_nothing_keep_no_probe_out() -> None:
    async with Operator().served() as server:
        # Given more connections than are allowed, all of them silent or in the middle of a line
        streams = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(MAX_CONNECTIONS + 8)]
        for _, writer in streams[::2]:
            writer.write(b"GET /heal")

        # When a probe comes, then it is answered, and the oldest have given way
        assert await ask(server, "/healthz") == (200, "ok\n")
        assert all([await closed(reader) for reader, _ in streams[:9]])
        for _, writer in streams:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def test_one_request_too_many_is_closed_and_makes_room_again() -> None:
    # Given as many requests under way as are allowed
    answers = asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        await answers.wait()
        return web.Response(text="at last")

    app = web.Application()
    app.router.add_get("/", slow)
    server = BoundedServer(app, Address("127.0.0.1", 0), max_connections=2, connection_seconds=10)
    await server.start()
    try:
        streams = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        for _, writer in streams:
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await asyncio.sleep(0.05)

        # When one more comes, then it is closed at once, and they are answered
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert await closed(reader)
        writer.close()
        answers.set()
        for reader, writer in streams:
            assert (await reader.read()).endswith(b"at last")
            writer.close()
    finally:
        await server.stop()


async def test_an_address_in_use_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = ProbeServer(Address("127.0.0.1", taken.getsockname()[1]), Telemetry().registry, list, list)

        with pytest.raises(OSError, match="in use"):
            await server.start()
