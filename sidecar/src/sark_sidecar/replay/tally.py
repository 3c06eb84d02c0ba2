"""What a replay has found, by path: counts of everything that was read, and the first mismatches in full."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Protocol

from sark_sidecar.shadow.comparison import Difference, Pointer, compare, meaning
from sark_sidecar.shadow.documents import readable
from sark_sidecar.shadow.judgement import Judgement, Match, Skipped, Suspicion, Unknown

from .recording import Recorded, Unusable

MAX_PATHS = 1000
"""Paths that are counted one by one; the rest is `other`."""
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Printers:
    """How what a difference consists of is shown."""

    inputs: Printer
    decisions: Printer
    with_sentences: bool = True
    """Whether an error may be quoted: it can hold values."""

    def sentence(self, text: str) -> str:
        """Return an error's text, if it may be shown."""
        return text if self.with_sentences else ""


class Printer(Protocol):
    """Shows documents, redacted or not."""

    def redact(self, document: Any) -> Any:
        """Return a document as JSON that may be shown."""

    def pointer(self, pointer: Pointer) -> str:
        """Return a place as it may be shown."""


@dataclass(slots=True)
class PathTally:
    """Counts of one path."""

    equal: int = 0
    mismatches: Counter[str] = field(default_factory=Counter)
    """By kind."""
    unknown: Counter[str] = field(default_factory=Counter)
    """By the side that could not decide."""
    skipped: Counter[str] = field(default_factory=Counter)
    """By reason."""
    recorded_equal: int = 0
    recorded_mismatches: int = 0

    def shown(self, *, with_recorded: bool) -> dict[str, Any]:
        """Return the counts as JSON."""
        counts: dict[str, Any] = {
            "equal": self.equal,
            "mismatch": self.mismatches.total(),
            "unknown": self.unknown.total(),
            "skipped": self.skipped.total(),
            "mismatches": dict(self.mismatches),
            "unknown_sides": dict(self.unknown),
            "skipped_reasons": dict(self.skipped),
        }
        if with_recorded:
            counts["recorded"] = {"equal": self.recorded_equal, "mismatch": self.recorded_mismatches}
        return counts


class Tally:
    """Counts of a whole replay. Everything that was read is in exactly one count."""

    def __init__(self, printers: Printers, *, most_shown: int, with_recorded: bool) -> None:
        """Keep the first `most_shown` mismatches of either sort."""
        self._printers = printers
        self._most_shown = most_shown
        self._with_recorded = with_recorded
        self._paths: defaultdict[str, PathTally] = defaultdict(PathTally)
        self.unusable: Counter[str] = Counter()
        """Records that could not be put to the arms, by reason."""
        self.read = 0
        self.first_mismatches: list[dict[str, Any]] = []
        self.first_recorded_mismatches: list[dict[str, Any]] = []
        self.first_unknown: list[dict[str, Any]] = []
        self.first_unusable: list[str] = []

    def set_aside(self, unusable: Unusable) -> None:
        """Count a record that could not be used."""
        self.read += 1
        self.unusable[unusable.reason] += 1
        if len(self.first_unusable) < self._most_shown:
            self.first_unusable.append(f"{unusable.place}: {unusable.reason}")

    def add(self, recorded: Recorded, judged: Judgement) -> None:
        """Count what came of a request."""
        self.read += 1
        tally = self._of(recorded.path)
        match judged:
            case Match():
                tally.equal += 1
            case Suspicion(mismatch):
                tally.mismatches[mismatch.difference.kind.value] += 1
                if len(self.first_mismatches) < self._most_shown:
                    sides = {"engine": mismatch.engine.document, "opa": mismatch.opa.document}
                    self.first_mismatches.append(self._describe(recorded, mismatch.difference, sides))
            case Skipped(reason):
                tally.skipped[reason.value] += 1
            case Unknown(side, kind):
                tally.unknown[side] += 1
                if len(self.first_unknown) < self._most_shown:
                    why = self._printers.sentence(judged.reason)
                    shown = {"at": recorded.place, "path": recorded.path, "side": side, "kind": kind, "reason": why}
                    self.first_unknown.append(shown)
        if self._with_recorded and recorded.is_result_known and isinstance(judged, Match | Suspicion):
            decided = judged.document if isinstance(judged, Match) else judged.mismatch.engine.document
            self._compare_recorded(tally, recorded, decided)

    @property
    def equal(self) -> int:
        """Requests that both arms decide alike."""
        return sum(tally.equal for tally in self._paths.values())

    @property
    def mismatches(self) -> int:
        """Requests that they do not, or that the engine decides otherwise than recorded."""
        return sum(tally.mismatches.total() + tally.recorded_mismatches for tally in self._paths.values())

    def shown(self) -> dict[str, Any]:
        """Return everything as JSON."""
        paths = {path: tally.shown(with_recorded=self._with_recorded) for path, tally in sorted(self._paths.items())}
        total = {name: sum(counts[name] for counts in paths.values()) for name in ("equal", "mismatch", "unknown", "skipped")}
        report: dict[str, Any] = {
            "read": self.read,
            "total": {**total, "unusable": self.unusable.total()},
            "unusable_reasons": dict(self.unusable),
            "paths": paths,
            "first_mismatches": self.first_mismatches,
            "first_unknown": self.first_unknown,
            "first_unusable": self.first_unusable,
        }
        if self._with_recorded:
            report["first_recorded_mismatches"] = self.first_recorded_mismatches
            report["recorded"] = {
                name: sum(counts["recorded"][name] for counts in paths.values()) for name in ("equal", "mismatch")
            }
        return report

    def _of(self, path: str) -> PathTally:
        known = path in self._paths or len(self._paths) < MAX_PATHS
        return self._paths[path if known else OTHER]

    def _compare_recorded(self, tally: PathTally, recorded: Recorded, engine: Any) -> None:
        before = readable(recorded.result)
        difference = compare(engine, before)
        if difference is None:
            tally.recorded_equal += 1
            return
        tally.recorded_mismatches += 1
        if len(self.first_recorded_mismatches) < self._most_shown:
            sides = {"engine": engine, "recorded": before}
            self.first_recorded_mismatches.append(self._describe(recorded, difference, sides))

    def _describe(self, recorded: Recorded, difference: Difference, sides: dict[str, Any]) -> dict[str, Any]:
        return {
            "at": recorded.place,
            "path": recorded.path,
            "kind": difference.kind.value,
            "differs_at": [self._printers.decisions.pointer(pointer, *sides.values()) for pointer in difference.pointers],
            "differs_elsewhere": not difference.is_complete,
            "input": self._printers.inputs.redact(readable(recorded.input)),
            **{
                side: {"means": meaning(document), "decision": self._printers.decisions.redact(document)}
                for side, document in sides.items()
            },
        }
