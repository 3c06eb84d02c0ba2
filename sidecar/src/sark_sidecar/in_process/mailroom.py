"""Awaiting answers on an event loop: one mailbox for each loop, read when its descriptor says that something has come."""

from __future__ import annotations

import asyncio
from itertools import count

from sark_engine import Mailbox, Server

Told = tuple[int, bytes, str, str, str]
"""Status, body, arm, origin, fallback; see sark_engine.Server.ask."""


class Mailroom:
    """The questions of one event loop. Used on that loop only."""

    def __init__(self) -> None:
        """Listen on the running loop; the loop keeps it alive, and not the other way round."""
        self._mailbox = Mailbox()
        self._waiting: dict[int, asyncio.Future[Told]] = {}
        self._tokens = count()
        asyncio.get_running_loop().add_reader(self._mailbox.fd, self._collect)

    async def ask(self, server: Server, path: str, body: bytes, subject: str | None) -> Told:
        """Return the answer; a decision that is kept does not even wait."""
        token = next(self._tokens)
        told: Told | None = server.ask_later(path, body, subject, self._mailbox, token)
        if told is not None:
            return told
        # Nobody collects before this returns to the loop, so the answer cannot come too early.
        self._waiting[token] = future = asyncio.get_running_loop().create_future()
        try:
            answer: Told = await future
        finally:
            self._waiting.pop(token, None)
        return answer

    def close(self) -> None:
        """Stop listening."""
        asyncio.get_running_loop().remove_reader(self._mailbox.fd)

    def _collect(self) -> None:
        for token, told in self._mailbox.take():
            future = self._waiting.pop(token, None)
            if future is not None and not future.done():
                future.set_result(told)
