"""What in an answer of Prometheus shows that a rollout must be evaluated at once.

Rollouts share the answers: between two evaluations of one, the others ask the same anew. What is looked for is what a tick
would take back by one such answer alone: errors, refusals and latency far beyond their limits in criteria.window, decisions
that differ, an alert. It is no verdict, for a verdict rests on everything one tick sees; it decides only who is evaluated
first. Whatever rests on several answers, or on evidence that windows gather slowly, waits for its turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sark_api.spec import Action, Criteria, SarkRolloutSpec
from sark_api.status import CriterionStatus, SarkRolloutStatus, Verdict

from .alerts import FiringAlerts
from .lifecycle import in_step, is_split, is_terminal, wanted_percent
from .observation import ArmWindow, Comparisons
from .plan import needs
from .verdicts.alerts import judge_alerts
from .verdicts.decision_mismatch import judge_decision_mismatch
from .verdicts.deny_shift import judge_deny_shift
from .verdicts.error_rate import judge_error_rate
from .verdicts.latency_p95 import judge_latency_p95

Arms = Mapping[str, ArmWindow]


@dataclass(frozen=True, slots=True)
class Tripwire:
    """What has to be known of one rollout to see in an answer that it shows a breach."""

    uid: str
    rollout: str
    """namespace/name."""
    criteria: Criteria
    percent: int | None
    """The share in force; None where nothing is in force that could be taken back: nothing trips it. At 0 % no arm does."""
    compares: bool = False
    """Whether a shadow compares decisions of both arms."""
    baseline_p95_microseconds: int | None = None

    @classmethod
    def of(cls, uid: str, rollout: str, spec: SarkRolloutSpec, status: SarkRolloutStatus, now: datetime) -> Tripwire:
        """Return that of a rollout in this state."""
        if not in_step(status) or is_terminal(spec, status, now):
            return cls(uid, rollout, spec.criteria, None)
        percent = wanted_percent(status)
        compares = needs(spec, percent).shadow.sample_percent > 0
        return cls(uid, rollout, spec.criteria, percent, compares, status.baseline_p95_microseconds)

    def is_tripped_by_requests(self, arms: Arms) -> bool:
        """Return whether the new arm's errors or refusals, in requests by result, show a breach."""
        if not self.percent:
            return False
        errors, shift, window, split = (
            self.criteria.error_rate,
            self.criteria.deny_shift,
            self.criteria.window,
            is_split(self.percent),
        )
        if _reverts(errors.action) and _breaks(judge_error_rate(errors, window, arms, beside_baseline=split)):
            return True
        return split and _takes_back(judge_deny_shift(shift, window, arms))  # an arm that refuses everything, with Hold too

    def is_tripped_by_latency(self, arms: Arms) -> bool:
        """Return whether the new arm's latencies show a breach."""
        settings, window, stored = self.criteria.latency_p95, self.criteria.window, self.baseline_p95_microseconds
        if not self.percent or not _reverts(settings.action):
            return False
        return _breaks(judge_latency_p95(settings, window, self.percent, arms, stored_microseconds=stored))

    def is_tripped_by_comparisons(self, shadow: Comparisons) -> bool:
        """Return whether decisions of both arms on the same requests differ more than they may."""
        settings = self.criteria.decision_mismatch
        if self.percent is None or not self.compares or not _reverts(settings.action):
            return False
        return _breaks(judge_decision_mismatch(settings, self.criteria.window, shadow))

    def is_tripped_by_alerts(self, firing: FiringAlerts) -> bool:
        """Return whether an alert that takes the rollout back is among those that fire."""
        if self.percent is None:
            return False
        about = firing.about(self.rollout, self.criteria.alerts)
        criterion = judge_alerts(self.criteria.alerts, about) if about else None
        return criterion is not None and _takes_back(criterion)


def _reverts(action: str) -> bool:
    return action == Action.REVERT


def _takes_back(criterion: CriterionStatus) -> bool:
    return _reverts(criterion.action) and _breaks(criterion)


def _breaks(criterion: CriterionStatus) -> bool:
    return criterion.verdict is Verdict.BREACH
