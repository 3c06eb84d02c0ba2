"""Decisions for Python applications: clients of a sidecar, what a decision looks like, and what is raised instead of one."""

from .awaiting import AsyncClient
from .blocking import Client
from .decision import Decision, decision_in
from .errors import BusyError, ClosedError, DecisionError, NoDecisionError, QuestionError, refusal

__all__ = [
    "AsyncClient",
    "BusyError",
    "Client",
    "ClosedError",
    "Decision",
    "DecisionError",
    "NoDecisionError",
    "QuestionError",
    "decision_in",
    "refusal",
]
