"""What both clients do before and after a question is on its way."""

from __future__ import annotations

from . import wire
from .decision import Decision, decision_in
from .errors import QuestionError, refusal
from .wire import BadAnswerError

_OK = 200


class Stale(Exception):  # noqa: N818 - what happened
    """A kept connection had been closed by the sidecar before it took the question: nothing of it was evaluated for us."""


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
