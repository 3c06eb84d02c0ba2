"""fallbackRate: the share of new-arm requests that the baseline had to answer.

At a limit of 0.1 % a single fallback among a few hundred requests is above it, and proves nothing. So a breach is proven from
window to window, as errors are; what is above the limit and not proven holds the step.
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
from sark_operator.core.figures import count, percents
from sark_operator.core.observation import ArmWindow, Missing
from sark_operator.core.sequential.fractions import Counts
from sark_operator.core.sequential.weight import UNWEIGHED, Weight

from .ruling import Ruling
from .share import Share, judge_share

NAME: Final = "fallbackRate"
_WHOLE: Final = 10_000


def judge_fallback_rate(
    settings: FallbackRate,
    window: timedelta,
    arms: Mapping[str, ArmWindow] | Missing,
    fallbacks: float | Missing | None,
    query: str = "",
    *,
    weight: Weight = UNWEIGHED,
) -> CriterionStatus:
    """Return Breach when the share of fallbacks among the new arm's requests is proven to be above the limit."""
    ruling = Ruling(NAME, settings.action, query, settings.min_samples, weight)
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
    if requests < settings.min_samples and not weight.proven:
        few = f"{count(requests, 'request')} in {over}, {settings.min_samples:,} needed"
        return ruling.unknown(few, limit=limit_text, samples=requests)

    def sentence(value: str, sign: str, most: str) -> str:
        return f"{value} {sign} {most} over {over} ({count(requests, 'request')})"

    return judge_share(ruling, Share(Counts(min(fallbacks, requests), requests), limit), sentence)
