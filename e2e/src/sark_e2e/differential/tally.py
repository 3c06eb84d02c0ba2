"""Counts of a run, by what came of each question."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from .comparison import Result

_QUOTED: Final = re.compile(r"\"[^\"]*\"|`[^`]*`|'[^']*'|\b[a-z]\w*\d+\b|\d+|data\.[\w.\[\]\"]+")
_PLACE: Final = re.compile(r"^[\w.-]+\.rego:\d+:\d+: ")
_LONGEST: Final = 90


@dataclass(slots=True)
class Tally:
    """What has been compared so far."""

    policies: Counter[str] = field(default_factory=Counter)
    questions: Counter[str] = field(default_factory=Counter)
    refused_policies: Counter[str] = field(default_factory=Counter)
    refused_questions: Counter[str] = field(default_factory=Counter)
    lenient: Counter[str] = field(default_factory=Counter)
    """Policies that the engine takes and OPA refuses, by OPA's reason. An OPA arm would never have loaded them."""

    known: Counter[str] = field(default_factory=Counter)
    """Differences that are known, by the name of their file. Of those that had to be reduced, one of each policy is counted."""
    tiers: Counter[str] = field(default_factory=Counter)
    """Questions compared, by how the engine answers them."""

    @property
    def compared(self) -> int:
        """Questions that both answered."""
        return self.questions.total()

    def add(self, result: Result) -> None:
        """Count one case."""
        if result.refused_by_opa is not None and result.refused_by_engine is not None:
            self.policies["refused by both"] += 1
        elif result.refused_by_opa is not None:
            self.policies["refused by OPA alone"] += 1
            self.lenient[_class(result.refused_by_opa.reason)] += 1
        elif result.refused_by_engine is not None:
            self.policies["refused by the engine alone"] += 1
            self.refused_policies[_class(result.refused_by_engine)] += 1
        else:
            self.policies["compared"] += 1
        self.tiers.update(result.tiers)
        counts = {"equal values": result.equal, "undefined in both": result.undefined, "errors in both": result.failed}
        self.questions.update({name: count for name, count in counts.items() if count})
        self.refused_questions.update(map(_class, result.refused))
        self.questions.update(f"DIFFERENT {found.kind}" for found in result.disagreements)

    def lines(self) -> list[str]:
        """Return the counts for people."""
        return [
            f"questions compared: {self.compared:,}",
            *_listed(self.questions),
            *(["known differences:"] if self.known else []),
            *_listed(self.known),
            *(["by how the engine answers:"] if self.tiers else []),
            *_listed(self.tiers),
            f"questions not compared, by reason: {self.refused_questions.total():,}",
            *_listed(self.refused_questions, 20),
            f"policies: {self.policies.total():,}",
            *_listed(self.policies),
            *(["policies refused by the engine alone, by reason:"] if self.refused_policies else []),
            *_listed(self.refused_policies, 20),
            *(["policies refused by OPA alone, by OPA's reason:"] if self.lenient else []),
            *_listed(self.lenient, 12),
        ]


def _listed(counts: Counter[str], most: int | None = None) -> list[str]:
    lines = [f"  {count:>10,}  {name}" for name, count in counts.most_common(most)]
    rest = counts.total() - sum(count for _, count in counts.most_common(most))
    return [*lines, f"  {rest:>10,}  of other kinds"] if rest else lines


def _class(reason: str) -> str:
    """Return `reason` without names, numbers and places, so that equal ones are counted together."""
    first = _PLACE.sub("", reason.splitlines()[0] if reason else "")
    return _QUOTED.sub("_", first)[:_LONGEST]
