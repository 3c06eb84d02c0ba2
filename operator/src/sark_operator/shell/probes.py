"""What Kubernetes and Prometheus ask of the operator itself: is it well, is it ready, what has it counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from sark_operator.shell.settings import Address

CONNECTION_SECONDS: Final = 10.0
"""A connection is closed when it is this old, whatever it is doing; each carries one request."""
MAX_CONNECTIONS: Final = 64
"""One more is closed without an answer."""
_MAX_LINE: Final = 4096

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Check = Callable[[], Sequence[str]]
"""Returns why not, one sentence each; nothing when all is well."""


class ProbeServer:
    """Serves /healthz, /readyz and /metrics, GET only.

    A check that raises is answered with status 500, which a probe takes for a failure.
    """

    def __init__(
        self,
        address: Address,
        registry: CollectorRegistry,
        healthy: Check,
        ready: Check,
        *,
        connection_seconds: float = CONNECTION_SECONDS,
    ) -> None:
        self._address = address
        self._registry = registry
        self._connection_seconds = connection_seconds
        self._open: set[_Connection] = set()
        app = web.Application(middlewares=[_one_request_per_connection], client_max_size=_MAX_LINE)
        app.add_routes(
            [
                web.get("/healthz", _probe(healthy), allow_head=False),
                web.get("/readyz", _probe(ready), allow_head=False),
                web.get("/metrics", self._metrics, allow_head=False),
            ]
        )
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, max_line_size=_MAX_LINE, max_field_size=_MAX_LINE
        )
        self._listener: asyncio.Server | None = None
        self.port = 0
        """The port it listens on, once it is started."""

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be bound.
        """
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(
                self._accept, self._address.host, self._address.port, backlog=MAX_CONNECTIONS
            )
        except OSError:
            await self._runner.cleanup()
            raise
        self.port = int(self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and close what is open."""
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self._open):
            connection.abort()
        await self._runner.cleanup()

    def _accept(self) -> asyncio.Protocol:
        server = self._runner.server
        if server is None or len(self._open) >= MAX_CONNECTIONS:
            return _Refusal()
        return _Connection(server(), self._open, self._connection_seconds)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def _probe(check: Check) -> _Handler:
    async def answer(_: web.Request) -> web.Response:
        problems = [" ".join(problem.split()) for problem in check()]
        return web.Response(text="\n".join(problems or ["ok"]) + "\n", status=503 if problems else 200)

    return answer


@web.middleware
async def _one_request_per_connection(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Close after the answer: probes come seldom, and a kept connection would only meet its end of life at a bad moment."""
    response = await handler(request)
    response.force_close()
    return response


class _Connection(asyncio.Protocol):
    """Passes everything on to aiohttp's own protocol, and ends it in time: aiohttp waits for ever for a first request."""

    def __init__(self, inner: asyncio.Protocol, register: set[_Connection], seconds: float) -> None:
        self._inner = inner
        self._register = register
        self._end = asyncio.get_running_loop().call_later(seconds, self.abort)
        self._transport: asyncio.Transport | None = None
        register.add(self)

    def abort(self) -> None:
        self._register.discard(self)
        self._end.cancel()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._register.discard(self)
        self._end.cancel()
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


class _Refusal(asyncio.Protocol):
    """Closes a connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
