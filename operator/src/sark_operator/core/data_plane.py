"""The criteria on what the sidecars measure inside the new arm, and of themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sark_api.spec import SarkRolloutSpec, Toggle
from sark_api.status import CriterionStatus

from .observation import Metrics
from .plan import needs
from .sequential.weight import Weight
from .verdicts import cpu, decision_mismatch, fallback_rate, service_time, throughput


def judge_data_plane(
    spec: SarkRolloutSpec, percent: int, metrics: Metrics, weight: Callable[[str], Weight]
) -> Iterator[CriterionStatus]:
    """Yield what these criteria say at a share of `percent`; `weight` gives the evidence of one by its name.

    One that a switched-off feature, a step without shadow or a limit of 0 makes meaningless is left out.
    """
    criteria, window, plane = spec.criteria, spec.criteria.window, metrics.data_plane

    def query(name: str) -> str:
        return metrics.queries.get(name, "")

    name = fallback_rate.NAME
    yield fallback_rate.judge_fallback_rate(
        criteria.fallback_rate, window, metrics.arms, plane.fallbacks, query(name), weight=weight(name)
    )
    if spec.features.opa is Toggle.ENABLED:
        name = service_time.OPA_NAME
        yield service_time.judge_service_time(
            name, criteria.opa_p95, window, arms=metrics.arms, times=plane.evaluations, query=query(name), weight=weight(name)
        )
    if spec.features.cache is Toggle.ENABLED:
        name = service_time.CACHE_NAME
        yield service_time.judge_service_time(
            name, criteria.cache_p95, window, arms=metrics.arms, times=plane.lookups, query=query(name), weight=weight(name)
        )
    yield from judge_beside(spec, percent, metrics, weight)


def judge_beside(
    spec: SarkRolloutSpec, percent: int, metrics: Metrics, weight: Callable[[str], Weight]
) -> Iterator[CriterionStatus]:
    """Yield what is said of the shadow and of the sidecars, which needs no request of the new arm."""
    criteria, window, plane = spec.criteria, spec.criteria.window, metrics.data_plane

    def query(name: str) -> str:
        return metrics.queries.get(name, "")

    if needs(spec, percent).shadow.sample_percent:
        name = decision_mismatch.NAME
        yield decision_mismatch.judge_decision_mismatch(
            criteria.decision_mismatch, window, plane.shadow, query(name), weight=weight(name)
        )
    if criteria.throughput.min_requests_per_second:
        yield throughput.judge_throughput(criteria.throughput, window, metrics.arms, query(throughput.NAME))
    yield cpu.judge_cpu(criteria.cpu, window, plane.cpu, query(cpu.NAME))
