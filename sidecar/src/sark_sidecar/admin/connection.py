"""Connections of the admin port: counted from the first moment to the last, and closed when they dawdle."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Self

FIRST_REQUEST_SECONDS = 5.0
"""A connection that has not sent a whole request by then is closed, with TLS one that has not shaken hands."""
IDLE_SECONDS = 75.0
_SHUTDOWN_SECONDS = 2.0
_TOO_MANY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Connection(asyncio.Protocol):
    """Passes everything on to aiohttp's own protocol and keeps itself in `register` while it is open.

    aiohttp counts a connection only once it has been set up; several that come at once would all be let in. With TLS the
    handshake is begun here and not by the listener: asyncio shows a listener's connection only once hands are shaken, and holds
    some 300 KiB for it from the first moment on, so that nobody could count or close those that never shake hands.
    """

    def __init__(
        self, inner: asyncio.Protocol, register: dict[asyncio.Protocol, Self], tls: ssl.SSLContext | None = None
    ) -> None:
        """Enter the register under the protocol that requests know; speak TLS with the context `tls`, if there is one."""
        self._inner = inner
        self._register = register
        self._tls = tls
        self._transport: asyncio.Transport | None = None
        self._handshake: asyncio.Task[None] | None = None
        self._is_open = False
        self._early: list[bytes] = []
        self._last_seen = time.monotonic()
        self._patience = FIRST_REQUEST_SECONDS
        self._under_way = 0
        self._is_over = False
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
        self._leave()
        if self._transport is not None:
            self._transport.abort()

    def close_if_silent(self, now: float) -> None:
        """Close the connection when its patience is over."""
        if now - self._last_seen > self._patience:
            self.give_way()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass on, with TLS as soon as hands are shaken."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a listener of TCP has no others
        self._transport = transport
        if self._is_over:  # before it was made: many had come at once
            transport.abort()
        elif self._tls is None:
            self._open(transport)
        else:
            self._handshake = asyncio.get_running_loop().create_task(self._shake_hands(transport, self._tls))

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the register, and pass on."""
        self._leave()
        if self._is_open:
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on."""
        if self._is_open:
            self._inner.data_received(data)
        else:
            self._early.append(data)

    def eof_received(self) -> bool | None:
        """Pass on."""
        return self._inner.eof_received() if self._is_open else None

    def pause_writing(self) -> None:
        """Pass on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on."""
        self._inner.resume_writing()

    async def _shake_hands(self, transport: asyncio.Transport, tls: ssl.SSLContext) -> None:
        if transport.is_closing():  # nobody would tell the handshake, which would go on until its time is over
            return
        secured: asyncio.Transport | None = None
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport,
                self,
                tls,
                server_side=True,
                ssl_handshake_timeout=FIRST_REQUEST_SECONDS,
                ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
            )
        except OSError:
            pass  # whoever does not shake hands is told nothing: there is no way to
        finally:
            if secured is None:  # also without an exception, when the connection was closed in the meantime
                self.give_way()
        if secured is not None and not self._is_over:
            self._open(secured)

    def _open(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._is_open = True
        self._inner.connection_made(transport)
        # What came with the end of the handshake was there before its task went on.
        early, self._early = self._early, []
        for data in early:
            self._inner.data_received(data)

    def _leave(self) -> None:
        self._is_over = True
        self._register.pop(self._inner, None)


class Busy(asyncio.Protocol):
    """Closes a connection too many."""

    def __init__(self, *, is_told: bool) -> None:
        """Answer it before, if `is_told`; with TLS that would take a handshake, which costs more than a request."""
        self._is_told = is_told

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so and close."""
        if self._is_told and isinstance(transport, asyncio.WriteTransport):
            transport.write(_TOO_MANY)
        transport.close()
