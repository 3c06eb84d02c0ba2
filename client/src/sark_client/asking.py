"""What both clients do before and after a question is on its way."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from . import wire
from .decision import Decision, decision_in
from .errors import ClosedError, NoDecisionError, QuestionError, refusal
from .place import parse_place
from .wire import BadAnswerError, Head

_OK = 200


class Stale(Exception):  # noqa: N818 - what happened
    """A kept connection had been closed by the sidecar before it took the question: nothing of it was evaluated for us."""


class Closable(Protocol):
    """What a connection has in common with any other."""

    def close(self) -> None:
        """Close it."""


Connection = TypeVar("Connection", bound=Closable)


class Asking(Generic[Connection]):
    """What a client knows, its kept connections among it; how bytes go to and fro is the client's own."""

    def __init__(self, url: str, *, path: str | None, timeout: float, max_bytes: int, subject_header: str | None) -> None:
        """Take the client's arguments.

        Raises:
            ValueError: the address is none.
        """
        self.place = parse_place(url)
        self.timeout = timeout
        self.max_bytes = max_bytes
        self.is_closed = False
        self._path = path
        self._subject_header = subject_header
        self._idle: list[Connection] = []

    def question(self, document: Any, path: str | None, subject: str | None) -> tuple[str, bytes]:
        """Return the path that is asked for, and the request.

        Raises:
            QuestionError: path, input or subject is refused.
        """
        asked = path_of(path, self._path)
        headers = subject_headers(self._subject_header, subject)
        return asked, wire.request(asked, self.place.authority, wire.question(document), headers)

    def kept(self) -> Connection | None:
        """Return a connection that was kept; None when one has to be made.

        Raises:
            ClosedError: the client was closed.
        """
        if self.is_closed:
            raise ClosedError("the client was closed")
        try:
            # Another thread may take the last one at any moment.
            return self._idle.pop()
        except IndexError:
            return None

    def answered(self, connection: Connection, head: Head) -> None:
        """Keep a connection for the next question, or close it when that cannot be."""
        if head.closes or self.is_closed:
            connection.close()
        else:
            self._idle.append(connection)

    def told(self, error: OSError) -> NoDecisionError:
        """Return what is raised for a failure of the network, or for a time that is over."""
        if isinstance(error, TimeoutError):
            return NoDecisionError(f"{self.place}: no answer within {self.timeout:g} s")
        return NoDecisionError(f"{self.place}: {error.strerror or error}")

    def unanswered(self) -> NoDecisionError:
        """Return what is raised when a fresh connection is closed at once."""
        return NoDecisionError(f"{self.place}: the connection was closed without an answer")

    def close(self) -> None:
        """Close the connections that are not in use; the others follow."""
        self.is_closed = True
        while self._idle:
            self._idle.pop().close()


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
