"""throughput: requests per second of both arms of all sidecars together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sark_api.duration import format_duration
from sark_api.spec import Throughput
from sark_api.status import CriterionStatus
from sark_operator.core.buckets import plausible_count
from sark_operator.core.figures import apart
from sark_operator.core.observation import ArmWindow, Missing

from .ruling import Ruling

NAME: Final = "throughput"


def judge_throughput(
    settings: Throughput, window: timedelta, arms: Mapping[str, ArmWindow] | Missing, query: str = ""
) -> CriterionStatus:
    """Return Breach when fewer requests per second than the limit came in `window`; no series is no requests at all."""
    ruling = Ruling(NAME, settings.action, query)
    least = settings.min_requests_per_second
    limit = f"{least:,} req/s"
    if isinstance(arms, Missing):
        return ruling.unknown(arms.message, limit=limit)
    requests = sum(arm.requests for arm in arms.values())
    over = format_duration(window)
    if not plausible_count(requests):
        return ruling.unknown(f"Prometheus counted {requests:g} requests in {over}: not a count", limit=limit)
    rate = requests / window.total_seconds()
    breach = rate < least
    value, limit = apart(rate, least, " req/s")
    sign = "<" if breach else ">="
    return ruling.measured(
        breach=breach, message=f"{value} {sign} {limit} over {over}", value=value, limit=limit, samples=requests
    )
