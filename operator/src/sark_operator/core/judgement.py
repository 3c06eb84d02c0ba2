"""All criteria of one tick together: which are judged, what they say, and since when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from sark_api.spec import Action, Criteria, SarkRolloutSpec
from sark_api.status import CriterionStatus, SarkRolloutStatus, Verdict

from .data_plane import judge_beside, judge_data_plane
from .figures import sentences, span
from .lifecycle import is_split
from .observation import Metrics, Missing
from .sequential.sides import Setting
from .sequential.weighing import Weighing, countable, weigh
from .sequential.weight import UNWEIGHED, Weight
from .verdicts import alerts, deny_shift, error_rate, latency_p95, memory_growth, sample_ratio
from .verdicts.alerts import judge_alerts
from .verdicts.custom import judge_custom
from .verdicts.deny_shift import judge_deny_shift
from .verdicts.sample_ratio import judge_nobody, judge_sample_ratio

_WINDOWS: Final = 4
_SETTLING: Final = timedelta(minutes=1)


def judge(
    spec: SarkRolloutSpec,
    percent: int,
    metrics: Metrics,
    stored_baseline_microseconds: int | None,
    weights: Mapping[str, Weight] = MappingProxyType({}),
    *,
    settled: bool = False,
) -> tuple[CriterionStatus, ...]:
    """Return what every criterion of `spec` says of `metrics` at a share of `percent`, in the order of the spec.

    `weights` is the evidence of those with a sequential test. `settled` tells that every sidecar has served the share in all of
    criteria.window: before, the requests of each arm are no measure of it. At 0 % the new arm serves nobody, so what is judged
    is what the shadow compares and what the sidecars themselves use; and, once it is settled, that it is so.
    """
    criteria, window = spec.criteria, spec.criteria.window

    def query(name: str) -> str:
        return metrics.queries.get(name, "")

    def weight(name: str) -> Weight:
        return weights.get(name, UNWEIGHED)

    if percent == 0:
        nobody = judge_nobody(criteria.sample_ratio, window, metrics.arms, query(error_rate.NAME))
        memory = _memory(criteria, metrics)
        beside = judge_beside(spec, percent, metrics, weight)
        firing = judge_alerts(criteria.alerts, metrics.alerts, query(alerts.NAME))
        return (*((nobody,) if settled else ()), memory, *beside, firing)

    return (
        error_rate.judge_error_rate(
            criteria.error_rate,
            window,
            metrics.arms,
            query(error_rate.NAME),
            weight=weight(error_rate.NAME),
            beside_baseline=is_split(percent),
        ),
        latency_p95.judge_latency_p95(
            criteria.latency_p95,
            window,
            percent,
            metrics.arms,
            stored_microseconds=stored_baseline_microseconds,
            query=query(latency_p95.NAME),
            weight=weight(latency_p95.NAME),
        ),
        *(_comparisons(criteria, window, percent, metrics, weight, settled=settled) if is_split(percent) else ()),
        _memory(criteria, metrics),
        *judge_data_plane(spec, percent, metrics, weight),
        judge_alerts(criteria.alerts, metrics.alerts, query(alerts.NAME)),
        *(judge_custom(custom, metrics.custom.get(custom.name)) for custom in criteria.custom),
    )


def _memory(criteria: Criteria, metrics: Metrics) -> CriterionStatus:
    query = metrics.queries.get(memory_growth.NAME, "")
    return memory_growth.judge_memory_growth(criteria.memory_growth, metrics.memory, metrics.sustained_memory, query)


def _comparisons(
    criteria: Criteria,
    window: timedelta,
    percent: int,
    metrics: Metrics,
    weight: Callable[[str], Weight],
    *,
    settled: bool,
) -> tuple[CriterionStatus, ...]:
    """Return what only two arms at once can show."""
    query, ratio = metrics.queries.get(error_rate.NAME, ""), criteria.sample_ratio
    evidence = weight(sample_ratio.NAME)
    return (
        judge_deny_shift(criteria.deny_shift, window, metrics.arms, query, weight=weight(deny_shift.NAME)),
        judge_sample_ratio(ratio, window, percent, metrics.arms, query, weight=evidence, settled=settled),
    )


def weigh_windows(
    spec: SarkRolloutSpec,
    percent: int,
    metrics: Metrics,
    status: SarkRolloutStatus,
    *,
    now: datetime,
    settled_since: datetime | None,
) -> Weighing:
    """Add the windows that are new to the evidence in `status`."""
    lately = {} if isinstance(metrics.arms, Missing) else metrics.arms
    p95 = status.baseline_p95_microseconds
    setting = Setting(
        spec.criteria,
        percent,
        lately,
        latency_p95.slow_seconds(spec.criteria.latency_p95, spec.criteria.window, percent, lately, p95),
        settled_since,
        lasting=now - (status.started_at or now) >= spec.criteria.window,
    )
    since = status.counted_until or status.started_at or now
    windows = () if isinstance(metrics.windows, Missing) else countable(metrics.windows, since, now)
    weighing = weigh(status.evidence, setting, windows, status.counted_until)
    quiet = now - (weighing.counted_until or status.started_at or now)
    return weighing if quiet <= longest_quiet(spec.criteria) else _silent(weighing, span(quiet))


def longest_quiet(criteria: Criteria) -> timedelta:
    """Return how long counting windows may fail to come: pods whose counters began anew are left out for a minute or so."""
    return criteria.window + _WINDOWS * criteria.counting() + _SETTLING


def _silent(weighing: Weighing, quiet: str) -> Weighing:
    """Return the tests without new windows for so long that what the present one shows is no proof.

    Each look at criteria.window alone would be a threshold that is looked at all the time; it may end a share, by the floor,
    and must not raise one.
    """
    return replace(weighing, weights={name: replace(weight, quiet=quiet) for name, weight in weighing.weights.items()})


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
