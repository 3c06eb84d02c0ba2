"""opaP95 and cacheP95: how long the parts of the new arm take, against limits that do not depend on the baseline.

"p95 above 7.5 ms" is decided as "more than 5 % took longer than 7.5 ms", for the histogram has a bound there and nothing needs
to be guessed. A breach has to be more than chance explains.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sark_api.duration import format_duration
from sark_api.names import ARM_NEW
from sark_api.spec import CacheP95, OpaP95
from sark_api.status import CriterionStatus
from sark_operator.core.buckets import mended, quantile, readable, share_above
from sark_operator.core.chance import beyond_chance
from sark_operator.core.figures import count, milliseconds, percents
from sark_operator.core.observation import ArmWindow, Histogram, Missing

from .ruling import Ruling

OPA_NAME: Final = "opaP95"
CACHE_NAME: Final = "cacheP95"
_ALLOWED_SHARE: Final = 0.05
_DECIMALS: Final = 9
"""1 - 0.95 is a hair more than 0.05."""
_EMPTY: Final = Histogram((), ())
_NOUNS: Final = {OPA_NAME: "evaluation", CACHE_NAME: "look-up"}


def judge_service_time(
    name: str,
    settings: OpaP95 | CacheP95,
    window: timedelta,
    *,
    arms: Mapping[str, ArmWindow] | Missing,
    times: Histogram | Missing,
    query: str = "",
) -> CriterionStatus:
    """Return Breach when more than 5 % of `times` are above the limit beyond chance.

    With too few of them the verdict is Pass where the new arm's requests are so many that under 5 % of them can have had one:
    whatever those took, the requests' p95 does not show it.
    """
    ruling = Ruling(name, settings.action, query, settings.min_samples)
    limit = milliseconds(settings.limit_microseconds / 1_000_000)
    if isinstance(times, Missing):
        return ruling.unknown(times.message, limit=limit)
    if times != _EMPTY and (unreadable := readable(times)):
        return ruling.unknown(unreadable, limit=limit)
    if times.total < settings.min_samples:
        return _few(ruling, arms, times.total, over=format_duration(window), limit=limit)
    return _compare(ruling, settings, mended(times), format_duration(window))


def _few(ruling: Ruling, arms: Mapping[str, ArmWindow] | Missing, total: float, *, over: str, limit: str) -> CriterionStatus:
    seen, needed = count(total, _NOUNS[ruling.name]), ruling.min_samples
    if isinstance(arms, Missing):
        return ruling.unknown(arms.message, limit=limit, samples=total)
    requests = arms.get(ARM_NEW, ArmWindow()).requests
    if not requests >= needed or total > _ALLOWED_SHARE * requests:
        return ruling.unknown(f"{seen} in {over}, {needed:,} needed", limit=limit, samples=total)
    return ruling.measured(
        breach=False,
        message=f"{seen} in {over} for {count(requests, 'request')}: too few to be seen in the requests' p95",
        value=seen,
        limit=limit,
        samples=total,
    )


def _compare(ruling: Ruling, settings: OpaP95 | CacheP95, times: Histogram, over: str) -> CriterionStatus:
    """Return the verdict on enough times."""
    seconds = settings.limit_microseconds / 1_000_000
    above, limit, samples = _above(times, seconds), milliseconds(seconds), times.total
    breach = beyond_chance(above * samples, samples, _ALLOWED_SHARE)
    slower, allowed = percents(above, _ALLOWED_SHARE)
    what = f"of {count(samples, _NOUNS[ruling.name])} over {over} took longer than {limit}"
    if above > _ALLOWED_SHARE and not breach:
        chance = f"{slower} > {allowed} {what}, but they are too few to rule out chance"
        return ruling.unknown(chance, limit=limit, samples=samples)
    p95 = quantile(times, 0.95)
    return ruling.measured(
        breach=breach,
        message=f"{slower} {'>' if breach else '<='} {allowed} {what}",
        value=f"p95 {'above ' if p95.beyond else ''}{milliseconds(p95.seconds)}",
        limit=limit,
        samples=samples,
        warning=_warning(settings.warning_microseconds / 1_000_000, times, breach=breach),
    )


def _warning(seconds: float, times: Histogram, *, breach: bool) -> str:
    if not seconds or breach:
        return ""
    above = _above(times, seconds)
    if above <= _ALLOWED_SHARE:
        return ""
    return f"warning: {percents(above, _ALLOWED_SHARE)[0]} took longer than {milliseconds(seconds)}"


def _above(times: Histogram, seconds: float) -> float:
    return round(share_above(times, seconds).share, _DECIMALS)
