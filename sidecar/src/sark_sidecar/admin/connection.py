"""Connections of the admin port: counted from the first moment to the last, and closed when they dawdle."""

from __future__ import annotations

import asyncio
import time
from typing import Self

FIRST_REQUEST_SECONDS = 5.0
"""A connection that has not sent a whole request by then is closed."""
IDLE_SECONDS = 75.0
_TOO_MANY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Connection(asyncio.Protocol):
    """Passes everything on to aiohttp's own protocol and keeps itself in `register` while it is open.

    aiohttp counts a connection only once it has been set up; several that come at once would all be let in.
    """

    def __init__(self, inner: asyncio.Protocol, register: dict[asyncio.Protocol, Self]) -> None:
        """Enter the register under the protocol that requests know."""
        self._inner = inner
        self._register = register
        self._transport: asyncio.Transport | None = None
        self._last_seen = time.monotonic()
        self._patience = FIRST_REQUEST_SECONDS
        self._under_way = 0
        self._gave_way = False
        register[inner] = self

    def served(self, now: float) -> None:
        """Take note of a request that has come."""
        self._last_seen, self._patience = now, IDLE_SECONDS
        self._under_way += 1

    def answered(self, now: float) -> None:
        """Take note of its answer."""
        self._last_seen = now
        self._under_way -= 1

    @property
    def idle_since(self) -> float | None:
        """Since when nothing has been asked, monotonic seconds; None while a request is under way."""
        return None if self._under_way else self._last_seen

    def give_way(self) -> None:
        """Close, for another one that has come."""
        self._gave_way = True
        self._register.pop(self._inner, None)
        if self._transport is not None:
            self._transport.abort()

    def close_if_silent(self, now: float) -> None:
        """Close the connection when its patience is over."""
        if now - self._last_seen > self._patience:
            self.give_way()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass on."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        self._inner.connection_made(transport)
        if self._gave_way and self._transport is not None:  # before it was made: many had come at once
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the register, and pass on."""
        self._register.pop(self._inner, None)
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on."""
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass on."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Pass on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on."""
        self._inner.resume_writing()


class Busy(asyncio.Protocol):
    """Answers a connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so and close."""
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(_TOO_MANY)
        transport.close()
