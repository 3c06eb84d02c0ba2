"""The admin port: six paths, GET only, bounded in connections and in how long each may dawdle."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Self

import structlog
from aiohttp import web

from sark_api.report import FLAGS_PATH
from sark_sidecar.bearer import shows_token
from sark_sidecar.settings import AdminSettings

from . import status
from .connection import IDLE_SECONDS, Busy, Connection
from .status import Parts

log = structlog.get_logger()
_BACKLOG = 64
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AdminServer:
    """Serves `Parts`."""

    def __init__(self, settings: AdminSettings, parts: Parts) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._parts = parts
        self._connections: dict[asyncio.Protocol, Connection] = {}
        app = web.Application(client_max_size=4096, middlewares=[self._bounded])
        app.add_routes(
            [
                web.get(FLAGS_PATH, self._flags),
                web.get("/metrics", self._metrics),
                web.get("/policies", self._policies),
                web.get("/health", self._health),
                web.get("/ready", self._ready),
                web.get("/v1/status", self._status),
            ]
        )
        self._runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=IDLE_SECONDS, max_line_size=4096, max_field_size=4096, handle_signals=False
        )
        self._listener: asyncio.Server | None = None
        self._tls: ssl.SSLContext | None = None
        self._tokens: list[str] | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            OSError: the address cannot be bound.
        """
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._accept, self._settings.host, self._settings.port, backlog=_BACKLOG)
        self.port = int(self._listener.sockets[0].getsockname()[1])
        self._sweeper = loop.create_task(self._sweep())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening and close what is open."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()
        for connection in list(self._connections.values()):  # those that aiohttp does not know: they have not shaken hands
            connection.give_way()

    def use_tokens(self, tokens: list[str]) -> None:
        """Answer nobody who shows none of these from now on."""
        self._tokens = tokens

    def use_tls(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on; connections that are open stay as they are."""
        self._tls = context

    def _accept(self) -> asyncio.Protocol:
        server = self._runner.server
        if server is None or not self._has_room():
            return Busy(is_told=self._tls is None)
        return Connection(server(), self._connections, self._tls)

    def _has_room(self) -> bool:
        """Return whether one more connection may be open. Where there is no place, who has been idle longest gives way.

        A few that keep their connections and ask nothing would else shut out the kubelet, the operator and Prometheus.
        """
        if len(self._connections) < self._settings.max_connections:
            return True
        idle = [(since, each) for each in self._connections.values() if (since := each.idle_since) is not None]
        if not idle:
            return False
        min(idle, key=lambda pair: pair[0])[1].give_way()
        return True

    async def _sweep(self) -> None:
        """Close connections that send nothing: without this a few of them would shut the operator out."""
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for connection in list(self._connections.values()):
                connection.close_if_silent(now)

    @web.middleware
    async def _bounded(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        connection = self._connections.get(request.protocol)
        if connection is None:
            return await self._answered(request, handler)
        connection.served(time.monotonic())
        try:
            return await self._answered(request, handler)
        finally:
            connection.answered(time.monotonic())

    async def _answered(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if self._tokens is not None and not shows_token(request.headers.get("Authorization", ""), self._tokens):
            # As OPA words it.
            refusal = {"code": "unauthorized", "message": "request rejected by administrative policy"}
            return web.json_response(refusal, status=401, headers={"WWW-Authenticate": "Bearer"})
        return await handler(request)

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def _ready(self, _: web.Request) -> web.Response:
        reasons = status.unready(self._parts)
        shown = {"ready": not reasons, "reasons": reasons, "flags": status.flags_state(self._parts)}
        return web.json_response(shown, status=503 if reasons else 200)

    async def _flags(self, _: web.Request) -> web.Response:
        report = status.flag_report(self._parts)
        if report is None:
            return web.json_response({"code": "unavailable", "message": self._parts.waiting}, status=503)
        return web.Response(text=report.model_dump_json(), content_type="application/json")

    async def _policies(self, _: web.Request) -> web.Response:
        shown = status.policies(self._parts)
        if shown is None:
            return web.json_response({"code": "unavailable", "message": self._parts.waiting}, status=503)
        return web.json_response(shown)

    async def _metrics(self, _: web.Request) -> web.Response:
        if self._parts.metrics is None:
            return web.json_response({"code": "unavailable", "message": self._parts.waiting}, status=503)
        return web.Response(body=self._parts.metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(status.status(self._parts))
