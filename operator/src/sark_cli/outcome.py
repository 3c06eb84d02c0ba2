"""What came of taking one rollout back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from .exit_code import ExitCode
from .intents import held_by, is_back, never_began
from .rollout import Rollout
from .sidecars import Answer

_NAMED: Final = 10
"""Sidecars named in a sentence; all are in the table below it."""


@dataclass(slots=True)
class Outcome:
    """What came of one rollout."""

    name: str
    rollout: Rollout | None = None
    """As it was last seen."""
    asked: bool = False
    """Whether it is known to be written that it is to go back."""
    problem: str = ""
    """Why it is not on the baseline, or not known to be; empty when it is."""
    code: ExitCode = ExitCode.DONE
    sidecars: list[Answer] = field(default_factory=list)
    unasked: str = ""
    """Why no sidecar could be asked."""

    @property
    def at_baseline(self) -> bool:
        """Whether the share is 0%, as far as this rollout knows: of what another one serves it knows nothing."""
        if self.problem or self.rollout is None:
            return False
        return is_back(self.rollout) or (never_began(self.rollout) and not held_by(self.rollout))

    def fail(self, problem: str, code: ExitCode = ExitCode.FAILED) -> None:
        """Note why it is not on the baseline. What was noted before stays, and so does its exit status."""
        self.problem = f"{self.problem}; {problem}" if self.problem else problem
        self.code = self.code or code

    def weigh(self, answers: list[Answer]) -> None:
        """Take what the sidecars say. One that serves a share of this rollout is a problem, whoever says otherwise."""
        self.sidecars = answers
        serving = [f"{answer.pod} says that it serves {answer.percent}%" for answer in answers if answer.serves(self.name)]
        if serving:
            more = f" and {len(serving) - _NAMED} more" if len(serving) > _NAMED else ""
            self.fail("; ".join(serving[:_NAMED]) + more)

    def to_wire(self) -> dict[str, Any]:
        """Return it for programs."""
        status = self.rollout.status if self.rollout else None
        return {
            "name": self.name,
            "asked": self.asked,
            "restored": self.at_baseline,
            "problem": self.problem,
            "phase": str(status.phase) if status else "",
            "flagRevision": status.flags.revision if status and status.flags else None,
            "sidecars": [answer.to_wire() for answer in self.sidecars],
            "sidecarsNotAsked": self.unasked,
        }
