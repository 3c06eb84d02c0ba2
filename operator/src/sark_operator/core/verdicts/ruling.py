"""What every criterion has in common: the form of its verdict."""

from __future__ import annotations

from dataclasses import dataclass

from sark_api.reasons import shorten
from sark_api.spec import Action
from sark_api.status import CriterionStatus, Verdict
from sark_operator.core.sequential.weight import UNWEIGHED, Weight

_MESSAGE, _QUERY, _FIGURE = 1024, 2048, 64


@dataclass(frozen=True, slots=True)
class Ruling:
    """The constant part of one criterion's verdict; its methods add the outcome.

    Every sentence begins with the criterion's name, so that it can stand alone in an event.
    """

    name: str
    action: Action
    query: str = ""
    min_samples: int = 0
    weight: Weight = UNWEIGHED
    """The evidence of the criterion's sequential test, for one that has such a test."""

    def measured(
        self, *, breach: bool, message: str, value: str, limit: str, samples: float, warning: str = "", bound: str = ""
    ) -> CriterionStatus:
        """Return Breach or Pass, with the numbers it rests on; `warning` is added to the sentence."""
        verdict = Verdict.BREACH if breach else Verdict.PASS
        return self._status(verdict, message + (f"; {warning}" if warning else ""), value, limit, samples, bound=bound)

    def unknown(self, why: str, *, limit: str = "", samples: float = 0) -> CriterionStatus:
        """Return Unknown because of `why`, a clause with its numbers: it cannot be measured."""
        return self._status(Verdict.UNKNOWN, f"Unknown: {why}", "", limit, samples)

    def undecided(self, why: str, *, value: str = "", limit: str = "", samples: float = 0, bound: str = "") -> CriterionStatus:
        """Return Unknown although it was measured: neither good enough to go on nor proven bad. That is no blindness."""
        return self._status(Verdict.UNKNOWN, f"Unknown: {why}", value, limit, samples, seen=True, bound=bound)

    def _status(
        self, verdict: Verdict, message: str, value: str, limit: str, samples: float, *, seen: bool = False, bound: str = ""
    ) -> CriterionStatus:
        return CriterionStatus(
            bound=shorten(bound, _FIGURE),
            evidence=self.weight.text,
            evidence_needed=self.weight.needed_text,
            windows=self.weight.windows,
            seen=seen or verdict is not Verdict.UNKNOWN,
            name=self.name,
            verdict=verdict,
            action=self.action,
            value=shorten(value, _FIGURE),
            limit=shorten(limit, _FIGURE),
            samples=int(samples),
            min_samples=self.min_samples,
            message=shorten(f"{self.name} {message}", _MESSAGE),
            query=shorten(self.query, _QUERY),
        )
