"""What is raised instead of a decision. None of it is ever an allow."""

from __future__ import annotations


class DecisionError(Exception):
    """There is no decision: let nobody in."""


class QuestionError(DecisionError):
    """The question cannot be asked: its path or input is refused. Asking again will not help."""


class NoDecisionError(DecisionError):
    """It was asked, and no decision came of it: a failure of OPA, of the policy, or of the way there."""


class BusyError(NoDecisionError):
    """It was not even evaluated: too much waits, or OPA has failed and is left alone. Ask again in a moment."""


class ClosedError(DecisionError):
    """Whoever decides is not open."""


def refusal(status: int, message: str) -> DecisionError:
    """Return the error for an answer with this HTTP status, which is not 200."""
    if status in {400, 404, 405, 413, 414, 431}:
        return QuestionError(message)
    return BusyError(message) if status == 503 else NoDecisionError(message)  # noqa: PLR2004 - HTTP's own number
