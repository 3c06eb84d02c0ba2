"""What Kubernetes and Prometheus ask of the operator itself: is it well, is it ready, what has it counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from sark_operator.shell.bounded_server import MAX_LINE, BoundedServer, one_request_per_connection
from sark_operator.shell.settings import Address

CONNECTION_SECONDS: Final = 10.0
"""A connection is closed when it is this old, whatever it is doing; each carries one request."""
MAX_CONNECTIONS: Final = 64
"""One more is closed without an answer."""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Check = Callable[[], Sequence[str]]
"""Returns why not, one sentence each; nothing when all is well."""


class ProbeServer:
    """Serves /healthz, /readyz and /metrics, GET only.

    A check that raises is answered with status 500, which a probe takes for a failure. What is ready says its `remarks` too.
    """

    def __init__(
        self,
        address: Address,
        registry: CollectorRegistry,
        healthy: Check,
        ready: Check,
        *,
        remarks: Check = tuple,
        connection_seconds: float = CONNECTION_SECONDS,
    ) -> None:
        self._registry = registry
        self._rendering = asyncio.Lock()
        self._coming: asyncio.Task[bytes] | None = None
        """The rendering that all wait for who have asked since the last one began."""
        self._rest_until = -inf
        """When the next may begin, by the loop's clock."""
        app = web.Application(middlewares=[one_request_per_connection], client_max_size=MAX_LINE)
        app.add_routes(
            [
                web.get("/healthz", _probe(healthy), allow_head=False),
                web.get("/readyz", _probe(ready, remarks), allow_head=False),
                web.get("/metrics", self._metrics, allow_head=False),
            ]
        )
        self._server = BoundedServer(app, address, max_connections=MAX_CONNECTIONS, connection_seconds=connection_seconds)

    @property
    def port(self) -> int:
        """The port it listens on, once it is started."""
        return self._server.port

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be bound.
        """
        await self._server.start()

    async def stop(self) -> None:
        """Stop listening and close what is open."""
        await self._server.stop()

    async def _metrics(self, _: web.Request) -> web.Response:
        if self._coming is None:
            self._coming = asyncio.create_task(self._rendered())
        body = await asyncio.shield(self._coming)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _rendered(self) -> bytes:
        """Return the page of metrics: made in a thread, one at a time, and at most half of the time, however many ask for it.

        With a thousand rollouts it takes long, and evaluations must not wait for it.
        """
        loop = asyncio.get_running_loop()
        async with self._rendering:
            await asyncio.sleep(max(0.0, self._rest_until - loop.time()))
            self._coming = None
            began = loop.time()
            body = await asyncio.to_thread(generate_latest, self._registry)
            ended = loop.time()
            self._rest_until = ended + (ended - began)
            return body


def _probe(check: Check, remarks: Check = tuple) -> _Handler:
    async def answer(_: web.Request) -> web.Response:
        problems = check()
        lines = [" ".join(line.split()) for line in problems or ("ok", *remarks())]
        return web.Response(text="\n".join(lines) + "\n", status=503 if problems else 200)

    return answer
