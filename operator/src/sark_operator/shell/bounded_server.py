"""A small HTTP server that nobody can wear out: few connections, none of them old, one request on each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from sark_operator.shell.settings import Address

MAX_LINE: Final = 4096
"""Longest line and header field of a request, in bytes."""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def one_request_per_connection(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Close after the answer: callers come seldom, and a kept connection would only meet its end of life at a bad moment."""
    response = await handler(request)
    response.force_close()
    return response


class BoundedServer:
    """Serves an application at one address."""

    def __init__(self, app: web.Application, address: Address, *, max_connections: int, connection_seconds: float) -> None:
        """Serve `app`, at most `max_connections` at a time, each closed when it is that old.

        For one more the oldest gives way that has not asked anything yet: whoever only connects must not keep a probe out.
        """
        self._address = address
        self._max_connections = max_connections
        self._connection_seconds = connection_seconds
        self._open: dict[asyncio.Protocol, _Connection] = {}
        """By the protocol that requests know, the oldest first."""
        app.middlewares.insert(0, self._asks)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, max_line_size=MAX_LINE, max_field_size=MAX_LINE
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
                self._accept, self._address.host, self._address.port, backlog=self._max_connections
            )
        except OSError:
            await self._runner.cleanup()
            raise
        self.port = int(self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and close what is open."""
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self._open.values()):
            connection.abort()
        await self._runner.cleanup()

    def _accept(self) -> asyncio.Protocol:
        server = self._runner.server
        if server is None or not self._has_room():
            return _Refusal()
        return _Connection(server(), self._open, self._connection_seconds)

    def _has_room(self) -> bool:
        """Return whether one more may come, after one that has not asked yet gave way for it if need be."""
        if len(self._open) < self._max_connections:
            return True
        silent = next((each for each in self._open.values() if not each.has_asked), None)
        if silent is not None:
            silent.abort()
        return silent is not None

    @web.middleware
    async def _asks(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        connection = self._open.get(request.protocol)
        if connection is not None:
            connection.has_asked = True
        return await handler(request)


class _Connection(asyncio.Protocol):
    """Passes everything on to aiohttp's own protocol, and ends it in time: aiohttp waits for ever for a first request."""

    def __init__(self, inner: asyncio.Protocol, register: dict[asyncio.Protocol, _Connection], seconds: float) -> None:
        self.has_asked = False
        """Whether a whole head of a request has come."""
        self._inner = inner
        self._register = register
        self._end = asyncio.get_running_loop().call_later(seconds, self.abort)
        self._transport: asyncio.Transport | None = None
        self._is_over = False
        register[inner] = self

    def abort(self) -> None:
        self._leave()
        if self._transport is not None:
            self._transport.abort()

    def _leave(self) -> None:
        self._is_over = True
        self._register.pop(self._inner, None)
        self._end.cancel()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        self._inner.connection_made(transport)
        if self._is_over and self._transport is not None:  # it gave way before it was made: many had come at once
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
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
