"""How long it took from the first bad request to the last sidecar serving the baseline, and what was proven on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sark_api.report import FlagReport
from sark_api.status import CriterionStatus, Revert
from sark_cli.rollout import Rollout
from sark_cli.times import clock

from .applied_rollout import ExpectationError


@dataclass(frozen=True, slots=True)
class Recovery:
    """One revert after a fault. All times were taken on one machine."""

    criterion: CriterionStatus
    """The verdict the revert rests on."""
    first_bad_request: datetime
    decided: datetime
    last_sidecar: datetime
    """When the last sidecar began to serve the baseline, by its own account."""

    @classmethod
    def of(cls, rollout: Rollout, first_bad_request: datetime | None, reports: Mapping[str, FlagReport]) -> Recovery:
        """Return the recovery of a reverted `rollout`. Raises ExpectationError when it was not a fault that was reverted."""
        revert = rollout.status.revert
        if revert is None or first_bad_request is None:
            raise ExpectationError(f"{rollout.name}: expected a revert because of bad requests; {_lack(revert)}")
        criterion = next((each for each in rollout.status.criteria if each.name == revert.criterion), None)
        if criterion is None:
            raise ExpectationError(f"{rollout.name}: expected a criterion as the revert's cause, not {revert.reason}")
        return cls(criterion, first_bad_request, revert.decided_at, max(report.since for report in reports.values()))

    def lines(self) -> list[str]:
        """Return it as lines for people."""
        criterion = self.criterion
        return [
            f"criterion                  {criterion.name}",
            f"value                      {criterion.value}, from {criterion.samples:,} requests",
            f"limit                      {criterion.limit}",
            f"first bad request          {clock(self.first_bad_request)}",
            f"revert decided             {self._after(self.decided)}",
            f"last sidecar on baseline   {self._after(self.last_sidecar)}",
        ]

    def _after(self, at: datetime) -> str:
        return f"{(at - self.first_bad_request).total_seconds():.1f} s later"


def _lack(revert: Revert | None) -> str:
    return "there was no revert" if revert is None else f"no request was hurt, yet: {revert.message}"
