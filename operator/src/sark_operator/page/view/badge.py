"""Short words with a meaning that is told by word and by colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sark_api.spec import Action
from sark_api.status import CriterionStatus, Phase, Verdict


class Tone(StrEnum):
    """How a word is coloured; the word alone must be enough."""

    GOOD = "good"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Badge:
    """A word and its tone."""

    text: str
    tone: Tone


_PHASES: Final[Mapping[Phase, Tone]] = {
    Phase.PENDING: Tone.IDLE,
    Phase.PROGRESSING: Tone.BUSY,
    Phase.PAUSED: Tone.WARN,
    Phase.REVERTING: Tone.BAD,
    Phase.REVERTED: Tone.BAD,
    Phase.COMPLETED: Tone.GOOD,
}
_VERDICTS: Final[Mapping[str, Tone]] = {"Pass": Tone.GOOD, "Breach": Tone.BAD, "Hold": Tone.WARN, "Unknown": Tone.WARN}


def phase_badge(phase: Phase) -> Badge:
    """Return the badge of a phase."""
    return Badge(phase.value, _PHASES[phase])


def summary_badge(verdict: str) -> Badge | None:
    """Return the badge of the verdict over all criteria; None before there is one."""
    return Badge(verdict, _VERDICTS.get(verdict, Tone.IDLE)) if verdict else None


def verdict_badge(criterion: CriterionStatus) -> Badge:
    """Return the badge of one criterion; what only warns is never shown as what stops."""
    only_warns = criterion.action == Action.WARN
    match criterion.verdict:
        case Verdict.PASS:
            return Badge("Pass", Tone.GOOD)
        case Verdict.BREACH:
            return Badge("Breach, warns only", Tone.WARN) if only_warns else Badge("Breach", Tone.BAD)
        case _:
            return Badge("Not proven" if criterion.seen else "Unknown", Tone.IDLE if only_warns else Tone.WARN)
