"""`Client`: ask a sidecar from threads."""

from __future__ import annotations

import select
import socket
import threading
import time
from dataclasses import replace
from typing import Any, Self, TypeAlias

from . import wire
from .asking import Asking, Stale, read_decision
from .decision import Decision
from .errors import NoDecisionError
from .place import Place
from .pool import Pool
from .wire import BadAnswerError, Head

_RECEIVE = 65_536


class Client:
    """Asks one sidecar, over connections that are kept. Thread-safe: each question has a connection of its own meanwhile."""

    def __init__(
        self,
        url: str,
        *,
        path: str | None = None,
        timeout: float = 5.0,
        max_connections: int = 16,
        max_answer_bytes: int = 4_194_304,
        subject_header: str | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: `http://127.0.0.1:8180` or `unix:/run/sark/data.sock`.
            path: what is asked when a question names no path.
            timeout: seconds for a question, connecting and waiting for a connection included; at most a day.
            max_connections: most questions under way; more wait.
            max_answer_bytes: longest answer that is taken.
            subject_header: the sidecar's `data.subject_header`, for questions that name a subject.

        Raises:
            ValueError: one of them cannot be.
        """
        self._asking: Asking[_Connection, threading.Semaphore] = Asking(
            url,
            path=path,
            timeout=timeout,
            max_connections=max_connections,
            max_bytes=max_answer_bytes,
            subject_header=subject_header,
            places=threading.Semaphore,
            loop=lambda: None,
        )

    def decide(self, document: Any, *, path: str | None = None, subject: str | None = None) -> Decision:
        """Return the decision about `document`, the policy's input: what JSON can hold, or its text as bytes.

        Raises:
            QuestionError: path or input is refused.
            NoDecisionError: no decision came of it; BusyError when it can be tried again in a moment.
            ClosedError: the client was closed.
        """
        asked, question = self._asking.question(document, path, subject)
        timeout = self._asking.timeout
        deadline = time.monotonic() + timeout
        pool = self._asking.pool()
        if not pool.places.acquire(timeout=timeout):
            raise NoDecisionError(f"no connection was free within {timeout:g} s")
        try:
            status, body = self._ask(pool, question, deadline)
        except OSError as error:
            raise self._asking.told(error) from error
        finally:
            pool.places.release()
        return read_decision(status, body, asked)

    def close(self) -> None:
        """Close the connections that are not in use; the others follow."""
        self._asking.close()

    def _ask(self, pool: _Pool, question: bytes, deadline: float) -> tuple[int, bytes]:
        asking = self._asking
        while (connection := asking.kept(pool)) is not None:
            try:
                return self._over(pool, connection, question, deadline)
            except Stale:
                # It never answers what it closed before; any other failure may have been half a question, and is told.
                continue
        try:
            connection = asking.opened(pool, _Connection(asking.place, asking.max_bytes, deadline))
            return self._over(pool, connection, question, deadline)
        except Stale as error:
            raise asking.unanswered() from error

    def _over(self, pool: _Pool, connection: _Connection, question: bytes, deadline: float) -> tuple[int, bytes]:
        try:
            head, body = connection.ask(question, deadline)
        except BaseException:
            connection.close()
            raise
        self._asking.answered(pool, connection, head)
        return head.status, body

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


class _Connection:
    """A connection; of everything that goes wrong nothing can be mended: close it."""

    def __init__(self, place: Place, max_bytes: int, deadline: float) -> None:
        self._max_bytes = max_bytes
        self._is_fresh = True
        self._socket = _connected(place, deadline)
        self._readable = select.poll()
        self._readable.register(self._socket, select.POLLIN)

    def ask(self, question: bytes, deadline: float) -> tuple[Head, bytes]:
        is_fresh, self._is_fresh = self._is_fresh, False
        left = self._send(question, deadline)
        if len(left) == len(question) and not is_fresh:
            raise Stale
        if left:
            return self._refused(deadline)
        try:
            received = self._receive(deadline)
        except ConnectionResetError as error:
            raise Stale from error
        if not received:
            raise Stale
        return self._rest(received, deadline)

    def is_quiet(self) -> bool:
        return not self._readable.poll(0)

    def close(self) -> None:
        self._socket.close()

    def leave(self) -> None:
        # The descriptor alone: a shutdown would end it for the parent, too.
        self._socket.close()

    def _send(self, question: bytes, deadline: float) -> memoryview:
        """Return what was not taken of the question, because the other end was closed."""
        left = memoryview(question)
        while left:
            self._socket.settimeout(_left(deadline))
            try:
                left = left[self._socket.send(left) :]
            except (BrokenPipeError, ConnectionResetError):
                break
        return left

    def _refused(self, deadline: float) -> tuple[Head, bytes]:
        """Return what was said about a question before its end was read: too large, most likely. It ends the connection."""
        try:
            head, body = self._rest(self._more(deadline), deadline)
        except (ConnectionError, BadAnswerError) as error:
            # Not asked again: each connection that is kept would end like this.
            raise BadAnswerError("the connection was closed before it had taken the question") from error
        if head.status < wire.REFUSALS:
            raise BadAnswerError("an answer came before the question was read to its end")
        return replace(head, closes=True), body

    def _rest(self, received: bytes, deadline: float) -> tuple[Head, bytes]:
        """Return the answer that begins with `received`."""
        while (end := received.find(b"\r\n\r\n")) < 0:
            if len(received) > wire.MAX_HEAD_BYTES:
                raise BadAnswerError("the head of the answer is too long")
            received += self._more(deadline)
        head = wire.head(received[:end], self._max_bytes)
        body = received[end + 4 :]
        while len(body) < head.length:
            body += self._more(deadline)
        if len(body) > head.length:
            raise BadAnswerError("there is more than the answer")
        return head, body

    def _more(self, deadline: float) -> bytes:
        received = self._receive(deadline)
        if not received:
            raise BadAnswerError("the answer was cut off")
        return received

    def _receive(self, deadline: float) -> bytes:
        self._socket.settimeout(_left(deadline))
        return self._socket.recv(_RECEIVE)


_Pool: TypeAlias = Pool[_Connection, threading.Semaphore]


def _connected(place: Place, deadline: float) -> socket.socket:
    """Return a connection to the first address that takes it; what one needs of the time is not the next one's."""
    refused: OSError | None = None
    for family, kind, protocol, address in _addresses(place):
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(_left(deadline))
            made.connect(address)
            if family != socket.AF_UNIX:
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            made.close()
            refused = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise refused or OSError("the name has no address")


def _addresses(place: Place) -> list[tuple[int, int, int, Any]]:
    if place.unix_path:
        return [(socket.AF_UNIX, socket.SOCK_STREAM, 0, place.unix_path)]
    found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    return [(family, kind, protocol, address) for family, kind, protocol, _, address in found]


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
