"""`AsyncClient`: ask a sidecar from coroutines."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from contextlib import suppress
from typing import Any, Self, TypeAlias, cast

from . import wire
from .asking import Asking, Stale, read_decision
from .decision import Decision
from .pool import Pool
from .wire import BadAnswerError, Head


class AsyncClient:
    """Asks one sidecar, over connections that are kept. Of one event loop at a time: it goes over to the next one anew."""

    def __init__(
        self,
        url: str,
        *,
        path: str | None = None,
        timeout: float = 5.0,
        max_connections: int = 64,
        max_answer_bytes: int = 4_194_304,
        subject_header: str | None = None,
    ) -> None:
        """Connect to nothing yet; the arguments are those of `Client`.

        Raises:
            ValueError: one of them cannot be.
        """
        self._asking: Asking[_Connection, asyncio.Semaphore] = Asking(
            url,
            path=path,
            timeout=timeout,
            max_connections=max_connections,
            max_bytes=max_answer_bytes,
            subject_header=subject_header,
            places=asyncio.Semaphore,
            loop=asyncio.get_running_loop,
        )

    async def decide(self, document: Any, *, path: str | None = None, subject: str | None = None) -> Decision:
        """Return the decision about `document`, the policy's input: what JSON can hold, or its text as bytes.

        Raises:
            QuestionError: path or input is refused.
            NoDecisionError: no decision came of it; BusyError when it can be tried again in a moment.
            ClosedError: the client was closed.
        """
        asked, question = self._asking.question(document, path, subject)
        pool = self._asking.pool()
        try:
            async with asyncio.timeout(self._asking.timeout), pool.places:
                head, body = await self._ask(pool, question)
        except OSError as error:
            raise self._asking.told(error) from error
        return read_decision(head.status, body, asked)

    async def close(self) -> None:
        """Close the connections that are not in use; the others follow.

        Raises:
            NoDecisionError: they are another event loop's, which still runs.
        """
        self._asking.close()
        await asyncio.sleep(0)

    async def _ask(self, pool: _Pool, question: bytes) -> tuple[Head, bytes]:
        while (connection := self._asking.kept(pool)) is not None:
            try:
                return await self._over(pool, connection, question)
            except Stale:
                # It never answers what it closed before; any other failure may have been half a question, and is told.
                continue
        try:
            return await self._over(pool, self._asking.opened(pool, await self._connect()), question)
        except Stale as error:
            raise self._asking.unanswered() from error

    async def _connect(self) -> _Connection:
        loop, place, max_bytes = asyncio.get_running_loop(), self._asking.place, self._asking.max_bytes
        made = lambda: _Connection(max_bytes)  # noqa: E731 - a factory
        if place.unix_path:
            return (await loop.create_unix_connection(made, place.unix_path))[1]
        return (await loop.create_connection(made, place.host, place.port))[1]

    async def _over(self, pool: _Pool, connection: _Connection, question: bytes) -> tuple[Head, bytes]:
        try:
            head, body = await connection.ask(question)
        except BaseException:
            connection.close()
            raise
        self._asking.answered(pool, connection, head)
        return head, body

    async def __aenter__(self) -> Self:
        """Return it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.close()


class _Connection(asyncio.Protocol):
    """A connection; of everything that goes wrong nothing can be mended: close it."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._readable = select.poll()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[Head, bytes]] | None = None
        self._received = bytearray()
        self._head: Head | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        self._readable.register(self._transport.get_extra_info("socket"), select.POLLIN)

    async def ask(self, question: bytes) -> tuple[Head, bytes]:
        if self._transport is None or self._transport.is_closing():
            raise Stale
        self._answer = asyncio.get_running_loop().create_future()
        self._received.clear()
        self._head = None
        self._transport.write(question)
        try:
            return await self._answer
        finally:
            self._answer = None

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            # Nobody has asked: whatever this is, it must not become the next answer.
            self.close()
            return
        self._received += data
        try:
            self._read(self._answer)
        except BadAnswerError as error:
            self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._transport = None
        self._fail(BadAnswerError("the answer was cut off") if self._received or self._head is not None else Stale())

    def is_quiet(self) -> bool:
        transport = self._transport
        if transport is None or transport.is_closing() or transport.get_write_buffer_size():
            return False
        # The loop may not have looked yet since something came.
        return not self._readable.poll(0)

    def close(self) -> None:
        if self._transport is not None:
            # Of a loop that is closed: then nobody is told of the end of anything.
            with suppress(RuntimeError):
                self._transport.abort()

    def leave(self) -> None:
        transport, self._transport = self._transport, None
        if transport is None:
            return
        if self._loop.is_closed():
            # It cannot close what asyncio has left open. (uvloop has closed its own; the number may be another file's by now.)
            left = getattr(transport.get_extra_info("socket"), "_sock", None)
            if isinstance(left, socket.socket):
                left.close()
            return
        # The loop must not be told: what it watches with is the parent's as well, and would be blind there from then on. So the
        # number stays the transport's, and stands for a socket without another end, instead of the copy.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as nothing:
            os.dup2(nothing.fileno(), transport.get_extra_info("socket").fileno(), inheritable=False)

    def _read(self, answer: asyncio.Future[tuple[Head, bytes]]) -> None:
        if self._head is None:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                if len(self._received) > wire.MAX_HEAD_BYTES:
                    raise BadAnswerError("the head of the answer is too long")
                return
            self._head = wire.head(bytes(self._received[:end]), self._max_bytes)
            del self._received[: end + 4]
            if self._head.status < wire.REFUSALS and self._transport is not None and self._transport.get_write_buffer_size():
                raise BadAnswerError("an answer came before the question was read to its end")
        if len(self._received) > self._head.length:
            raise BadAnswerError("there is more than the answer")
        if len(self._received) == self._head.length and not answer.done():
            answer.set_result((self._head, bytes(self._received)))

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self.close()


_Pool: TypeAlias = Pool[_Connection, asyncio.Semaphore]
