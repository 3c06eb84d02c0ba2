"""`Client`: ask a sidecar from threads."""

from __future__ import annotations

import select
import socket
import threading
import time
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
            timeout: seconds for a question, connecting and waiting for a connection included.
            max_connections: most questions under way; more wait.
            max_answer_bytes: longest answer that is taken.
            subject_header: the sidecar's `data.subject_header`, for questions that name a subject.

        Raises:
            ValueError: the address is none.
        """
        self._asking: Asking[_Connection, threading.Semaphore] = Asking(
            url,
            path=path,
            timeout=timeout,
            max_bytes=max_answer_bytes,
            subject_header=subject_header,
            places=lambda: threading.Semaphore(max_connections),
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
        if place.unix_path:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self._socket.settimeout(_left(deadline))
                self._socket.connect(place.unix_path)
            except BaseException:
                self._socket.close()
                raise
        else:
            self._socket = socket.create_connection((place.host, place.port), timeout=_left(deadline))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._readable = select.poll()
        self._readable.register(self._socket, select.POLLIN)

    def ask(self, question: bytes, deadline: float) -> tuple[Head, bytes]:
        self._socket.settimeout(_left(deadline))
        try:
            self._socket.sendall(question)
            received = self._socket.recv(_RECEIVE)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Stale from error
        if not received:
            raise Stale
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

    def is_quiet(self) -> bool:
        return not self._readable.poll(0)

    def close(self) -> None:
        self._socket.close()

    def leave(self) -> None:
        # The descriptor alone: a shutdown would end it for the parent, too.
        self._socket.close()

    def _more(self, deadline: float) -> bytes:
        self._socket.settimeout(_left(deadline))
        received = self._socket.recv(_RECEIVE)
        if not received:
            raise BadAnswerError("the answer was cut off")
        return received


_Pool: TypeAlias = Pool[_Connection, threading.Semaphore]


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
