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
        """Serve `app`; one connection more than `max_connections` is closed, and each when it is that old."""
        self._address = address
        self._max_connections = max_connections
        self._connection_seconds = connection_seconds
        self._open: set[_Connection] = set()
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
        for connection in tuple(self._open):
            connection.abort()
        await self._runner.cleanup()

    def _accept(self) -> asyncio.Protocol:
        server = self._runner.server
        if server is None or len(self._open) >= self._max_connections:
            return _Refusal()
        return _Connection(server(), self._open, self._connection_seconds)


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
