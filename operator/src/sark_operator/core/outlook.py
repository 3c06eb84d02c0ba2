"""What in an answer of Prometheus shows that a rollout must be evaluated at once.

Rollouts share the answers: between two evaluations of one, the others ask the same anew. What is looked for is what a tick
calls a breach in criteria.window by itself. It is no verdict, for a verdict rests on everything one tick sees; it decides only
who is evaluated first. Evidence that windows gather slowly waits for its turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sark_api.spec import Action, Criteria, SarkRolloutSpec
from sark_api.status import CriterionStatus, SarkRolloutStatus, Verdict

from .alerts import FiringAlert, matching
from .lifecycle import in_step, is_split, wanted_percent
from .observation import ArmWindow
from .verdicts.alerts import judge_alerts
from .verdicts.deny_shift import judge_deny_shift
from .verdicts.error_rate import judge_error_rate
from .verdicts.latency_p95 import judge_latency_p95

Arms = Mapping[str, ArmWindow]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What has to be known of one rollout to see in an answer that it shows a breach."""

    uid: str
    rollout: str
    """namespace/name."""
    criteria: Criteria
    percent: int | None
    """The share in force; None where nothing is in force that could be taken back, and nothing is looked out for."""
    baseline_p95_microseconds: int | None

    @classmethod
    def of(cls, uid: str, rollout: str, spec: SarkRolloutSpec, status: SarkRolloutStatus) -> Outlook:
        """Return it for a rollout in this state."""
        percent = wanted_percent(status) if in_step(status) else None
        return cls(uid, rollout, spec.criteria, percent, status.baseline_p95_microseconds)

    def fails(self, arms: Arms) -> bool:
        """Return whether the new arm's errors or refusals, in requests by result, show a breach."""
        if not self.percent:
            return False
        criteria, split = self.criteria, is_split(self.percent)
        return _breaks(judge_error_rate(criteria.error_rate, criteria.window, arms, beside_baseline=split)) or (
            split and _breaks(judge_deny_shift(criteria.deny_shift, criteria.window, arms))
        )

    def is_slow(self, arms: Arms) -> bool:
        """Return whether the new arm's latencies show a breach."""
        settings, window = self.criteria.latency_p95, self.criteria.window
        if not self.percent:
            return False
        stored = self.baseline_p95_microseconds
        return _breaks(judge_latency_p95(settings, window, self.percent, arms, stored_microseconds=stored))

    def is_alerted(self, firing: Iterable[FiringAlert]) -> bool:
        """Return whether an alert that takes the rollout back is among those that fire."""
        if self.percent is None:
            return False
        about = matching(self.rollout, self.criteria.alerts, firing)
        return bool(about) and _breaks(judge_alerts(self.criteria.alerts, about))


def _breaks(criterion: CriterionStatus) -> bool:
    return criterion.verdict is Verdict.BREACH and criterion.action == Action.REVERT
