"""What both clients do before and after a question is on its way."""

from __future__ import annotations

import os
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any, Final, Generic, TypeAlias
from weakref import WeakSet

from . import wire
from .decision import Decision, decision_in
from .errors import ClosedError, NoDecisionError, QuestionError, refusal
from .place import parse_place
from .pool import Connection, Places, Pool
from .wire import BadAnswerError, Head

_OK = 200
_MAX_TIMEOUT: Final = 86_400
"""A day: a longer one is a mistake, and what waits for sockets does not take every number."""


class Stale(Exception):  # noqa: N818 - what happened
    """A kept connection had been closed by the sidecar before it took the question: nothing of it was evaluated for us."""


Owner: TypeAlias = tuple[int, AbstractEventLoop | None]
"""Whose connections they are: a process, by its id, and its event loop, if they are awaited on one."""


class Asking(Generic[Connection, Places]):
    """What a client knows, and its connections; how bytes go to and fro is the client's own."""

    def __init__(
        self,
        url: str,
        *,
        path: str | None,
        timeout: float,
        max_connections: int,
        max_bytes: int,
        subject_header: str | None,
        places: Callable[[int], Places],
        loop: Callable[[], AbstractEventLoop | None],
    ) -> None:
        """Take the client's arguments; `places` makes the semaphore of its questions under way, and `loop` says who asks.

        Raises:
            ValueError: one of them cannot be.
        """
        self.place = parse_place(url)
        if not 0 < timeout <= _MAX_TIMEOUT:
            raise ValueError(f"timeout must be more than 0 and at most {_MAX_TIMEOUT} seconds, not {timeout}")
        for name, least in (("max_connections", max_connections), ("max_answer_bytes", max_bytes)):
            if least < 1:
                raise ValueError(f"{name} must be at least 1, not {least}")
        self.timeout = timeout
        self.max_bytes = max_bytes
        self.is_closed = False
        self._path = path
        self._subject_header = None if subject_header is None else wire.header_name(subject_header)
        self._places = lambda: places(max_connections)
        self._loop = loop
        # One, but for a moment after a fork or on another loop.
        self._pools: dict[Owner, Pool[Connection, Places]] = {}
        _ALL.add(self)

    def question(self, document: Any, path: str | None, subject: str | None) -> tuple[str, bytes]:
        """Return the path that is asked for, and the request.

        Raises:
            QuestionError: path, input or subject is refused.
        """
        asked = path_of(path, self._path)
        headers = subject_headers(self._subject_header, subject)
        return asked, wire.request(asked, self.place.authority, wire.question(document), headers)

    def pool(self) -> Pool[Connection, Places]:
        """Return the connections of this process and event loop; those of the process it was forked from are left to that one.

        Python is not told of every fork (uWSGI forks without a word), so the process is looked at with each question.

        Raises:
            NoDecisionError: there are some of another event loop of this process, which still runs.
        """
        owner = (os.getpid(), self._loop())
        pool = self._pools.get(owner)
        if pool is None:
            self._refuse_two_loops(owner)
            # Without a lock, which could be held by a thread that was not forked: the first thread here sets it for all.
            pool = self._pools.setdefault(owner, Pool(self._places))
            for other in [one for one in list(self._pools) if one != owner]:
                parents = self._pools.pop(other, None)
                if parents is not None:
                    parents.leave()
        return pool

    def _refuse_two_loops(self, owner: Owner) -> None:
        """What another loop watches over can be taken from it only while it stands still."""
        for process, loop in list(self._pools):
            if process == owner[0] and loop is not None and loop is not owner[1] and loop.is_running():
                raise NoDecisionError(f"{self.place}: this client is another event loop's, which still runs: make one for each")

    def leave(self) -> None:
        """In a child: begin anew, and leave what there was to the parent."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.leave()

    def kept(self, pool: Pool[Connection, Places]) -> Connection | None:
        """Return a connection that was kept; None when one has to be made.

        Raises:
            ClosedError: the client was closed.
        """
        if self.is_closed:
            raise ClosedError("the client was closed")
        return pool.take()

    def opened(self, pool: Pool[Connection, Places], connection: Connection) -> Connection:
        """Return a connection that was made.

        Raises:
            NoDecisionError: there was a fork meanwhile, and this is the child.
        """
        pool.add(connection)
        if pool is not self.pool():
            connection.leave()
            raise NoDecisionError(f"{self.place}: the process was forked in the middle of the question")
        return connection

    def answered(self, pool: Pool[Connection, Places], connection: Connection, head: Head) -> None:
        """Keep a connection for the next question, or close it when that cannot be."""
        if head.closes:
            connection.close()
            return
        pool.keep(connection)
        if self.is_closed:
            # Looked at afterwards: a thread that closes the client in between finds it, or is seen here.
            pool.close()

    def told(self, error: OSError) -> NoDecisionError:
        """Return what is raised for a failure of the network, or for a time that is over."""
        if isinstance(error, TimeoutError):
            return NoDecisionError(f"{self.place}: no answer within {self.timeout:g} s")
        return NoDecisionError(f"{self.place}: {error.strerror or error}")

    def unanswered(self) -> NoDecisionError:
        """Return what is raised when a fresh connection is closed at once."""
        return NoDecisionError(f"{self.place}: the connection was closed without an answer")

    def close(self) -> None:
        """Close the connections that are not in use; the others follow.

        Raises:
            NoDecisionError: as `pool`.
        """
        self.is_closed = True
        self.pool().close()


def path_of(path: str | None, usual: str | None) -> str:
    """Return the path to ask for.

    Raises:
        QuestionError: there is none.
    """
    asked = usual if path is None else path
    if asked is None:
        raise QuestionError("no path: name one with the question, or for all of them when the client is made")
    return asked


def subject_headers(header: str | None, subject: str | None) -> tuple[tuple[str, str], ...]:
    """Return the header that names the subject.

    Raises:
        QuestionError: a subject is named, and no header for it.
    """
    if subject is None:
        return ()
    if header is None:
        raise QuestionError("to name a subject, make the client with subject_header, the sidecar's data.subject_header")
    return ((header, subject),)


def read_decision(status: int, body: bytes, asked: str) -> Decision:
    """Return the decision in an answer.

    Raises:
        DecisionError: there is none in it.
    """
    if status == _OK:
        return decision_in(wire.answer(body), asked)
    try:
        members = wire.answer(body)
    except BadAnswerError:
        members = None
    message = members.get("message") if isinstance(members, dict) else None
    raise refusal(status, f"HTTP {status}: {message}" if message else f"HTTP {status}")


_ALL: Final[WeakSet[Asking[Any, Any]]] = WeakSet()


def _after_fork() -> None:
    for asking in list(_ALL):
        asking.leave()


os.register_at_fork(after_in_child=_after_fork)
