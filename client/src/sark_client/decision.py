"""A decision, as whoever asked reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import NoDecisionError


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy decided. In a condition it counts as its `allow`."""

    allow: bool
    """Whether the result is true, or an object whose `allow` is true. Every other one denies."""
    result: Any
    """The whole result, of whatever shape the policy gives it; None where the path has no value (`is_defined` is false)."""
    path: str
    """What was asked, as in `authz/allow`."""
    is_defined: bool = True
    """Whether the path has a value."""
    arm: str = ""
    """Arm of the subject: `rust`, `python`, or `none` for a path that is in no arm; empty when it was not told."""
    source: str = ""
    """Who decided: `cache`, `engine` or `opa`; empty when it was not told."""

    def __bool__(self) -> bool:
        """Return whether it allows."""
        return self.allow

    @property
    def reason(self) -> str | None:
        """The result's `reason`, if it is a text."""
        reason = self.result.get("reason") if isinstance(self.result, dict) else None
        return reason if isinstance(reason, str) else None

    @property
    def filtered_parameters(self) -> Any:
        """The result's `filtered_parameters`; None when it has none."""
        return self.result.get("filtered_parameters") if isinstance(self.result, dict) else None


def decision_in(answer: Any, path: str, arm: str = "", source: str = "") -> Decision:
    """Return the decision in `answer`, the body of OPA's data API, read as JSON.

    Raises:
        NoDecisionError: it is not such a body.
    """
    if not isinstance(answer, dict):
        raise NoDecisionError(f"the answer for {path} is not a JSON object")
    if "result" not in answer:
        return Decision(allow=False, result=None, path=path, is_defined=False, arm=arm, source=source)
    result = answer["result"]
    allow = result.get("allow") is True if isinstance(result, dict) else result is True
    return Decision(allow, result, path, is_defined=True, arm=arm, source=source)
