"""uvicorn's HTTP protocol with an end to everything: connections, waiting for a request, and the age of a connection."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS: Final = 128
"""One more is closed at once."""
REQUEST_SECONDS: Final = 10.0
"""How long a connection may take until a whole request head is in."""
AGE_SECONDS: Final = 900.0
"""No connection gets older, whatever it is doing."""
MAX_HEAD: Final = 16 * 1024
"""Longest head of a request, in bytes."""


class BoundedProtocol(H11Protocol):
    """One connection."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._waiting: asyncio.TimerHandle | None = None
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or close it when there are enough."""
        if len(self.connections) >= MAX_CONNECTIONS:
            self.transport = transport
            transport.abort()
            return
        super().connection_made(transport)
        self._end = self.loop.call_later(AGE_SECONDS, transport.abort)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        for handle in (self._waiting, self._end):
            if handle is not None:
                handle.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a request whose head is in is waited for no longer."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        before = self.cycle
        self._wait()
        super().on_response_complete()
        if self.cycle is not before:
            self._stop_waiting()

    def _wait(self) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
