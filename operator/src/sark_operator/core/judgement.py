"""All criteria of one tick together: which are judged, what they say, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sark_api.spec import Action, SarkRolloutSpec
from sark_api.status import CriterionStatus, Verdict

from .data_plane import judge_data_plane
from .figures import sentences
from .observation import Metrics
from .verdicts import error_rate, latency_p95, memory_growth
from .verdicts.custom import judge_custom


def judge(
    spec: SarkRolloutSpec, percent: int, metrics: Metrics, stored_baseline_microseconds: int | None
) -> tuple[CriterionStatus, ...]:
    """Return what every criterion of `spec` says of `metrics` at a share of `percent`, in the order of the spec."""
    criteria, window = spec.criteria, spec.criteria.window

    def query(name: str) -> str:
        return metrics.queries.get(name, "")

    return (
        error_rate.judge_error_rate(criteria.error_rate, window, metrics.arms, query(error_rate.NAME)),
        latency_p95.judge_latency_p95(
            criteria.latency_p95,
            window,
            percent,
            metrics.arms,
            stored_microseconds=stored_baseline_microseconds,
            query=query(latency_p95.NAME),
        ),
        memory_growth.judge_memory_growth(criteria.memory_growth, metrics.memory, query(memory_growth.NAME)),
        *judge_data_plane(spec, percent, metrics),
        *(judge_custom(custom, metrics.custom.get(custom.name)) for custom in criteria.custom),
    )


def dated(verdicts: Sequence[CriterionStatus], before: Sequence[CriterionStatus], now: datetime) -> list[CriterionStatus]:
    """Return the verdicts with the time since when each has been what it is."""
    since = {(criterion.name, criterion.verdict): criterion.since for criterion in before}
    return [
        verdict.model_copy(update={"since": min(since.get((verdict.name, verdict.verdict)) or now, now)})
        for verdict in verdicts
    ]


def with_verdict(criteria: Sequence[CriterionStatus], verdict: Verdict, *actions: Action) -> tuple[CriterionStatus, ...]:
    """Return the criteria that say `verdict` and whose breach does one of `actions`."""
    return tuple(criterion for criterion in criteria if criterion.verdict is verdict and criterion.action in actions)


def seeing(criteria: Sequence[CriterionStatus]) -> bool:
    """Return whether every criterion that can hold or revert passes. Criteria that only warn never block."""
    return bool(criteria) and all(
        criterion.verdict is Verdict.PASS for criterion in criteria if criterion.action != Action.WARN
    )


def spoken(criteria: Sequence[CriterionStatus]) -> str:
    """Return what the criteria say, as one sentence."""
    return sentences([criterion.message for criterion in criteria])
