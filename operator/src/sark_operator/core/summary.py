"""The short texts that `kubectl get` prints."""

from __future__ import annotations

from datetime import timedelta

from sark_api.spec import Action, SarkRolloutSpec
from sark_api.status import SarkRolloutStatus, Summary, Verdict

from .figures import progress
from .judgement import with_verdict
from .lifecycle import wanted_percent
from .plan import position


def summarize(spec: SarkRolloutSpec, status: SarkRolloutStatus) -> Summary:
    """Return the printer columns of `status`."""
    percent, total = wanted_percent(status), position(spec, 0)[1]
    return Summary(
        traffic=f"{percent}%->{_observed(status)}" if percent else "0%",
        step=f"{status.step.index if status.step else 0}/{total}",
        bake=_bake(status),
        replicas=f"{status.convergence.confirmed}/{status.convergence.total}" if status.convergence else "",
        verdict=_verdict(status),
    )


def _observed(status: SarkRolloutStatus) -> str:
    points = status.observed_basis_points
    return "?" if points is None else f"{round(points / 100)}%"


def _bake(status: SarkRolloutStatus) -> str:
    if status.bake is None:
        return ""
    return progress(timedelta(milliseconds=status.bake.proven_milliseconds), timedelta(seconds=status.bake.required_seconds))


def _verdict(status: SarkRolloutStatus) -> str:
    """Return the gravest verdict: Breach, Hold, Unknown, Pass; nothing before the first.

    Criteria that only warn do not count.
    """
    if with_verdict(status.criteria, Verdict.BREACH, Action.REVERT):
        return Verdict.BREACH
    if with_verdict(status.criteria, Verdict.BREACH, Action.HOLD):
        return Action.HOLD
    if with_verdict(status.criteria, Verdict.UNKNOWN, Action.REVERT, Action.HOLD):
        return Verdict.UNKNOWN
    return Verdict.PASS if status.criteria else ""
