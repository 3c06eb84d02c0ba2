"""errorRate: the share of new-arm requests without a genuine decision of its engine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sark_api.duration import format_duration
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import ErrorRate
from sark_api.status import CriterionStatus
from sark_operator.core.buckets import plausible_count
from sark_operator.core.figures import count, percents
from sark_operator.core.observation import ArmWindow, Missing
from sark_operator.core.sequential.fractions import Counts
from sark_operator.core.sequential.weight import UNWEIGHED, Weight

from .ruling import Ruling
from .share import Share, judge_share

NAME: Final = "errorRate"


def judge_error_rate(
    settings: ErrorRate,
    window: timedelta,
    arms: Mapping[str, ArmWindow] | Missing,
    query: str = "",
    *,
    weight: Weight = UNWEIGHED,
    beside_baseline: bool = True,
) -> CriterionStatus:
    """Return Breach when the new arm's errors are proven to be above the limit, Pass when there is no sign that they are.

    An arm without series served nothing: zero requests, so Unknown, never zero errors. `beside_baseline` says whether the
    baseline arm serves enough subjects to be compared with.
    """
    ruling = Ruling(NAME, settings.action, query, settings.min_samples, weight)
    limit = settings.limit_basis_points / 10_000
    limit_text = percents(limit, limit)[1]
    if isinstance(arms, Missing):
        return ruling.unknown(arms.message, limit=limit_text)
    arm = arms.get(ARM_NEW, ArmWindow())
    requests, errors, over = arm.requests, arm.errors, format_duration(window)
    if not plausible_count(requests) or not plausible_count(errors):
        return ruling.unknown(
            f"Prometheus counted {requests:g} requests and {errors:g} errors in {over}: not counts", limit=limit_text
        )
    if requests < settings.min_samples and not weight.proven:
        return ruling.unknown(
            f"{count(requests, 'request')} in {over}, {settings.min_samples:,} needed", limit=limit_text, samples=requests
        )
    baseline = arms.get(ARM_BASELINE, ArmWindow()) if beside_baseline else ArmWindow()
    found = Counts(min(errors, requests), requests)  # extrapolation may count a fraction more errors than requests

    def sentence(value: str, sign: str, most: str) -> str:
        return f"{value} {sign} {most} over {over} ({count(requests, 'request')})"

    return judge_share(ruling, Share(found, limit, Counts(baseline.errors, baseline.requests)), sentence)
