"""errorRate: the share of new-arm requests without a genuine decision of its engine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sark_api.duration import format_duration
from sark_api.names import ARM_NEW
from sark_api.spec import ErrorRate
from sark_api.status import CriterionStatus
from sark_operator.core.buckets import plausible_count
from sark_operator.core.figures import count, percents
from sark_operator.core.observation import ArmWindow, Missing

from .ruling import Ruling

NAME: Final = "errorRate"


def judge_error_rate(
    settings: ErrorRate, window: timedelta, arms: Mapping[str, ArmWindow] | Missing, query: str = ""
) -> CriterionStatus:
    """Return Breach when errors / requests of the new arm in `window` is above the limit, with enough requests.

    An arm without series served nothing: zero requests, so Unknown, never zero errors.
    """
    ruling = Ruling(NAME, settings.action, query, settings.min_samples)
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
    if requests < settings.min_samples:
        return ruling.unknown(
            f"{count(requests, 'request')} in {over}, {settings.min_samples:,} needed", limit=limit_text, samples=requests
        )
    rate = min(1.0, errors / requests)  # extrapolation may count a fraction more errors than requests
    breach = rate > limit
    value_text, limit_text = percents(rate, limit)
    return ruling.measured(
        breach=breach,
        message=f"{value_text} {'>' if breach else '<='} {limit_text} over {over} ({count(requests, 'request')})",
        value=value_text,
        limit=limit_text,
        samples=requests,
    )
