"""The decision point inside a Python application: everything a sidecar decides with, and no data port."""

from sark_client import BusyError, ClosedError, Decision, DecisionError, NoDecisionError, QuestionError

from .point import DecisionPoint, ForkedError, StartError

__all__ = [
    "BusyError",
    "ClosedError",
    "Decision",
    "DecisionError",
    "DecisionPoint",
    "ForkedError",
    "NoDecisionError",
    "QuestionError",
    "StartError",
]
