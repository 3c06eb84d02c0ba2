"""What every criterion has in common: the form of its verdict."""

from __future__ import annotations

from dataclasses import dataclass

from sark_api.reasons import shorten
from sark_api.spec import Action
from sark_api.status import CriterionStatus, Verdict

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

    def measured(
        self, *, breach: bool, message: str, value: str, limit: str, samples: float, warning: str = ""
    ) -> CriterionStatus:
        """Return Breach or Pass, with the numbers it rests on; `warning` is added to the sentence."""
        verdict = Verdict.BREACH if breach else Verdict.PASS
        return self._status(verdict, message + (f"; {warning}" if warning else ""), value, limit, samples)

    def unknown(self, why: str, *, limit: str = "", samples: float = 0) -> CriterionStatus:
        """Return Unknown because of `why`, a clause with its numbers."""
        return self._status(Verdict.UNKNOWN, f"Unknown: {why}", "", limit, samples)

    def _status(self, verdict: Verdict, message: str, value: str, limit: str, samples: float) -> CriterionStatus:
        return CriterionStatus(
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
