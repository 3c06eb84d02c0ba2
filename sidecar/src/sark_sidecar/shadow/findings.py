"""What was found: counts, and the last mismatches with everything in them redacted, so that a person sees why."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from sark_api.instant import format_precise_instant

from .comparison import meaning
from .documents import readable
from .judgement import Drawn, Match, Mismatch, Skipped, Unknown
from .redaction import Redactor

log = structlog.get_logger()
KEPT = 20
"""Mismatches that are kept."""
LOG_SECONDS = 1.0
"""At most one mismatch in so much time is logged; the others are counted in the next line."""
_MAX_PATH = 300


class ComparisonCounter(Protocol):
    """The part of the data plane that counts."""

    def count_comparison(self, path: str | None, result: str, detail: str = "") -> None:
        """Count what came of a comparison."""


class Findings:
    """Counts each judgement once, and keeps the last mismatches."""

    def __init__(
        self, counter: ComparisonCounter, *, inputs: Redactor, decisions: Redactor, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`inputs` and `decisions` redact; `clock` is in seconds and only for the pace of the log."""
        self._counter = counter
        self._inputs = inputs
        self._decisions = decisions
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._last_unknown: dict[str, Any] | None = None
        self._mismatches: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._quiet_until = 0.0
        self._not_logged = 0

    def add(self, drawn: Drawn, judged: Match | Unknown | Skipped | Mismatch) -> None:
        """Count a judgement, and keep it when it is a mismatch."""
        match judged:
            case Match(defined):
                # A path that nobody defines must not take a defined one's place among the label values.
                self._count(drawn.path if defined else None, "match")
            case Skipped(reason):
                self._skipped[reason.value] += 1
                self._count(drawn.path, "skipped", reason.value)
            case Unknown(side, kind):
                self._last_unknown = {
                    "at": format_precise_instant(datetime.now(UTC)),
                    "path": drawn.path[:_MAX_PATH],
                    "side": side,
                    # Not the sentence: an error of a builtin can quote what it was given.
                    "kind": kind,
                }
                self._count(drawn.path, "unknown")
            case Mismatch():
                self._count(drawn.path, "mismatch", judged.difference.kind.value)
                self._mismatches.append(shown := self._describe(drawn, judged))
                self._tell(shown)

    def drop(self, drawn: Drawn) -> None:
        """Count a request for whose comparison there was no room."""
        self._count(drawn.path, "dropped")

    def status(self) -> dict[str, Any]:
        """Return the part of the status page: counts since the start, and the newest mismatch first."""
        return {
            "results": dict(self._counts),
            "skipped": dict(self._skipped),
            "last_unknown": self._last_unknown,
            "last_mismatches": list(reversed(self._mismatches)),
        }

    def _count(self, path: str | None, result: str, detail: str = "") -> None:
        self._counts[result] += 1
        self._counter.count_comparison(path, result, detail)

    def _describe(self, drawn: Drawn, mismatch: Mismatch) -> dict[str, Any]:
        difference = mismatch.difference
        sides = (mismatch.engine.document, mismatch.opa.document)
        return {
            "at": format_precise_instant(datetime.now(UTC)),
            "path": drawn.path[:_MAX_PATH],
            "kind": difference.kind.value,
            "differs_at": [self._decisions.pointer(pointer, *sides) for pointer in difference.pointers],
            "differs_elsewhere": not difference.is_complete,
            "answered_by": drawn.arm,
            "policy_revision": mismatch.revision,
            "engine": {
                "means": meaning(mismatch.engine.document),
                "decision": self._decisions.redact(mismatch.engine.document),
            },
            "opa": {"means": meaning(mismatch.opa.document), "decision": self._decisions.redact(mismatch.opa.document)},
            "input": self._inputs.redact(readable(drawn.input)),
        }

    def _tell(self, shown: dict[str, Any]) -> None:
        now = self._clock()
        if now < self._quiet_until:
            self._not_logged += 1
            return
        self._quiet_until = now + LOG_SECONDS
        log.warning("the arms decide differently", mismatch=shown, not_logged_before=self._not_logged)
        self._not_logged = 0
