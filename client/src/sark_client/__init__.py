"""Decisions for Python applications: what they look like, and what is raised instead of one."""

from .decision import Decision, decision_in
from .errors import BusyError, ClosedError, DecisionError, NoDecisionError, QuestionError, refusal

__all__ = [
    "BusyError",
    "ClosedError",
    "Decision",
    "DecisionError",
    "NoDecisionError",
    "QuestionError",
    "decision_in",
    "refusal",
]
