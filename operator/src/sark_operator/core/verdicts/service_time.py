"""opaP95 and cacheP95: how long the parts of the new arm take, against limits that do not depend on the baseline.

"p95 above 7.5 ms" is decided as "more than 5 % took longer than 7.5 ms", for the histogram has a bound there and nothing needs
to be guessed. A breach is proven from window to window, as slow requests are.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sark_api.duration import format_duration
from sark_api.names import ARM_NEW
from sark_api.spec import CacheP95, OpaP95
from sark_api.status import CriterionStatus
from sark_operator.core.buckets import mended, plausible_count, quantile, readable, share_above
from sark_operator.core.figures import count, milliseconds, percents
from sark_operator.core.observation import ArmWindow, Histogram, Missing
from sark_operator.core.sequential.fractions import Counts
from sark_operator.core.sequential.sides import SLOW_SHARE
from sark_operator.core.sequential.weight import UNWEIGHED, Weight

from .ruling import Ruling
from .share import Share, judge_share

OPA_NAME: Final = "opaP95"
CACHE_NAME: Final = "cacheP95"
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
    weight: Weight = UNWEIGHED,
) -> CriterionStatus:
    """Return Breach when more than 5 % of the times are proven to be above the limit; `times` are those of `window`.

    With too few of them the verdict is Pass where the new arm's requests are so many that under 5 % of them can have had one:
    whatever those took, the requests' p95 does not show it.
    """
    ruling = Ruling(name, settings.action, query, settings.min_samples, weight)
    limit = milliseconds(settings.limit_microseconds / 1_000_000)
    if isinstance(times, Missing):
        return ruling.unknown(times.message, limit=limit)
    if times != _EMPTY and (unreadable := readable(times)):
        return ruling.unknown(unreadable, limit=limit)
    if times.total < (1 if weight.proven else settings.min_samples):
        return _few(ruling, arms, times.total, over=format_duration(window), limit=limit)
    return _compare(ruling, settings, mended(times), format_duration(window))


def is_seen(times: Histogram | Missing) -> bool:
    """Return whether the times are being measured, however few they are; what cannot be read is not."""
    return not isinstance(times, Missing) and (times == _EMPTY or not readable(times))


def _few(ruling: Ruling, arms: Mapping[str, ArmWindow] | Missing, total: float, *, over: str, limit: str) -> CriterionStatus:
    seen, needed = count(total, _NOUNS[ruling.name]), ruling.min_samples
    if isinstance(arms, Missing):
        return ruling.unknown(arms.message, limit=limit, samples=total)
    requests = arms.get(ARM_NEW, ArmWindow()).requests
    if not plausible_count(requests) or requests < needed or total > SLOW_SHARE * requests:
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
    seconds, noun = settings.limit_microseconds / 1_000_000, _NOUNS[ruling.name]
    above, limit, samples = _above(times, seconds), milliseconds(seconds), times.total
    p95 = quantile(times, 0.95)

    def sentence(value: str, sign: str, most: str) -> str:
        return f"{value} {sign} {most} of {count(samples, noun)} over {over} took longer than {limit}"

    return judge_share(
        ruling,
        Share(Counts(above * samples, samples), SLOW_SHARE, noun=noun),
        sentence,
        value=f"p95 {'above ' if p95.beyond else ''}{milliseconds(p95.seconds)}",
        limit=limit,
        warning="" if above > SLOW_SHARE else _warning(settings.warning_microseconds / 1_000_000, times),
    )


def _warning(seconds: float, times: Histogram) -> str:
    if not seconds:
        return ""
    above = _above(times, seconds)
    if above <= SLOW_SHARE:
        return ""
    return f"warning: {percents(above, SLOW_SHARE)[0]} took longer than {milliseconds(seconds)}"


def _above(times: Histogram, seconds: float) -> float:
    return round(share_above(times, seconds).share, _DECIMALS)
