"""fallbackRate: the share of new-arm requests that the baseline had to answer.

At a limit of 0.1 % a single fallback among a few hundred requests is above it, so here a breach has to be more than chance.
What is above the limit and may be chance is neither: it holds the step until the window shows which.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sark_api.duration import format_duration
from sark_api.names import ARM_NEW, METRIC_FALLBACK
from sark_api.spec import FallbackRate
from sark_api.status import CriterionStatus
from sark_operator.core.buckets import plausible_count
from sark_operator.core.chance import beyond_chance
from sark_operator.core.figures import count, percents
from sark_operator.core.observation import ArmWindow, Missing

from .ruling import Ruling

NAME: Final = "fallbackRate"
_WHOLE: Final = 10_000


def judge_fallback_rate(
    settings: FallbackRate,
    window: timedelta,
    arms: Mapping[str, ArmWindow] | Missing,
    fallbacks: float | Missing | None,
    query: str = "",
) -> CriterionStatus:
    """Return Breach when the share of fallbacks among the new arm's requests in `window` is above the limit beyond chance."""
    ruling = Ruling(NAME, settings.action, query, settings.min_samples)
    limit = settings.limit_basis_points / _WHOLE
    limit_text = percents(limit, limit)[1]
    if isinstance(arms, Missing):
        return ruling.unknown(arms.message, limit=limit_text)
    if isinstance(fallbacks, Missing):
        return ruling.unknown(fallbacks.message, limit=limit_text)
    requests, over = arms.get(ARM_NEW, ArmWindow()).requests, format_duration(window)
    if fallbacks is None and requests < settings.min_samples:
        fallbacks = 0.0  # nothing was served yet, so nothing was counted
    if fallbacks is None:
        return ruling.unknown(f"Prometheus has no series {METRIC_FALLBACK} of the rollout", limit=limit_text)
    if not plausible_count(requests) or not plausible_count(fallbacks):
        seen = f"Prometheus counted {requests:g} requests and {fallbacks:g} fallbacks in {over}: not counts"
        return ruling.unknown(seen, limit=limit_text)
    if requests < settings.min_samples:
        few = f"{count(requests, 'request')} in {over}, {settings.min_samples:,} needed"
        return ruling.unknown(few, limit=limit_text, samples=requests)
    return _compare(ruling, min(fallbacks, requests), requests, limit, over)


def _compare(ruling: Ruling, fallbacks: float, requests: float, limit: float, over: str) -> CriterionStatus:
    """Return the verdict on enough requests."""
    rate = fallbacks / requests
    value_text, limit_text = percents(rate, limit)
    breach = limit < 1 and beyond_chance(fallbacks, requests, limit)
    if rate > limit and not breach:
        chance = f"{value_text} > {limit_text} over {over}, but {count(requests, 'request')} are too few to rule out chance"
        return ruling.unknown(chance, limit=limit_text, samples=requests)
    sign = ">" if breach else "<="
    return ruling.measured(
        breach=breach,
        message=f"{value_text} {sign} {limit_text} over {over} ({count(requests, 'request')})",
        value=value_text,
        limit=limit_text,
        samples=requests,
    )
