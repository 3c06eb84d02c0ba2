"""The criteria of a spec as the stories edit them: each with a limit that the symptoms break, and one that they keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sark_api.spec import Action, Criteria, CustomCriterion, SarkRolloutSpec, Toggle

CUSTOM = "checkoutErrors"


@dataclass(frozen=True, slots=True)
class Limit:
    """Where a criterion's limit is, and its two settings."""

    settings: str
    """Field of the criteria."""
    name: str
    strict: tuple[int, ...]
    lenient: int


LIMITS: Mapping[str, Limit] = {
    "errorRate": Limit("error_rate", "limit_basis_points", (100,), 5000),
    "latencyP95": Limit("latency_p95", "limit_percent_of_baseline", (200,), 100_000),
    "denyShift": Limit("deny_shift", "limit_percent_of_odds", (400,), 100_000),
    "sampleRatio": Limit("sample_ratio", "limit_percent_of_odds", (400,), 100_000),
    "memoryGrowth": Limit("memory_growth", "limit_kibibytes_per_hour", (2048,), 1_000_000),
    "fallbackRate": Limit("fallback_rate", "limit_basis_points", (10,), 5000),
    "opaP95": Limit("opa_p95", "limit_microseconds", (7500,), 500_000),
    "cacheP95": Limit("cache_p95", "limit_microseconds", (750,), 500_000),
    "decisionMismatch": Limit("decision_mismatch", "limit_parts_per_million", (0, 1000), 500_000),
}
CRITERIA = (*LIMITS, "alerts", CUSTOM)
"""All that the stories break. Throughput and CPU only warn, as by default."""
_MAXIMA = {True: "5", False: "100"}
"""What the user's own criterion may be, by whether it is strict."""


def edited(criteria: Criteria, criterion: str, action: Action, *, strict: bool, nth: int = 0) -> Criteria:
    """Return `criteria` with another action and limit of one criterion; `nth` chooses among its strict limits."""
    if criterion == CUSTOM:
        custom = CustomCriterion(name=CUSTOM, query="checkout_errors", max=_MAXIMA[strict], action=action)
        return criteria.model_copy(update={"custom": [custom]})
    if criterion == "alerts":
        return criteria.model_copy(update={"alerts": criteria.alerts.model_copy(update={"action": action})})
    limit = LIMITS[criterion]
    value = limit.strict[nth % len(limit.strict)] if strict else limit.lenient
    settings = getattr(criteria, limit.settings).model_copy(update={"action": action, limit.name: value})
    return criteria.model_copy(update={limit.settings: settings})


MANY = 100_000
"""Samples that the simulated windows never hold."""
DEMANDING = ("errorRate", "fallbackRate")
"""Criteria of which the stories ask for so many."""


def with_samples(criteria: Criteria, criterion: str, samples: int) -> Criteria:
    """Return `criteria` with another number of samples that one criterion needs before it says anything of a window."""
    settings = LIMITS[criterion].settings
    return criteria.model_copy(update={settings: getattr(criteria, settings).model_copy(update={"min_samples": samples})})


def is_demanding(criteria: Criteria, criterion: str) -> bool:
    """Return whether `criterion` needs more samples than there are in a window."""
    return criterion in DEMANDING and getattr(criteria, LIMITS[criterion].settings).min_samples >= MANY


def is_strict(criteria: Criteria, criterion: str) -> bool:
    """Return whether the symptoms of `criterion` break its limit."""
    if criterion == "alerts":
        return True
    if criterion == CUSTOM:
        return any(custom.max == _MAXIMA[True] for custom in criteria.custom)
    limit = LIMITS[criterion]
    return getattr(getattr(criteria, limit.settings), limit.name) in limit.strict


def action_of(criteria: Criteria, criterion: str) -> Action:
    """Return what the spec says that a breach does; a criterion that the spec does not have does nothing."""
    if criterion == CUSTOM:
        return next((custom.action for custom in criteria.custom), Action.WARN)
    settings = criteria.alerts if criterion == "alerts" else getattr(criteria, LIMITS[criterion].settings)
    return Action(settings.action)


def is_judged(spec: SarkRolloutSpec, criterion: str, percent: int) -> bool:
    """Return whether a criterion is judged at a share: some need requests of the new arm, some those of both."""
    if criterion in ("memoryGrowth", "alerts"):
        return True
    if criterion == "decisionMismatch":
        steps = spec.plan()
        here = [step for step in steps if step.percent <= percent] or steps[:1]
        return here[-1].shadow.sample_percent > 0
    wanted = {
        "denyShift": percent < 100,
        "sampleRatio": percent < 100,
        "opaP95": spec.features.opa is Toggle.ENABLED,
        "cacheP95": spec.features.cache is Toggle.ENABLED,
        CUSTOM: bool(spec.criteria.custom),
    }
    return percent > 0 and wanted.get(criterion, True)
