"""latencyP95: the new arm's latency against the baseline arm's, measured in the same window.

"p95 above twice the baseline's" is decided as "more than 5 % of the new arm's requests are slower than twice the baseline's
p95": the same thing, but a count of requests instead of a guess inside a bucket. A concurrent baseline is used wherever there
is one, because time is the largest source of change; at 100 % nobody is left in it, and what was measured before stands in.
That follows the measured one slowly: minutes in which both arms were slow must not become what is compared with for days.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sark_api.duration import format_duration
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import LatencyP95
from sark_api.status import CriterionStatus
from sark_operator.core.buckets import mended, quantile, readable, share_above
from sark_operator.core.figures import count, milliseconds
from sark_operator.core.lifecycle import FULL
from sark_operator.core.observation import ArmWindow, Histogram, Missing
from sark_operator.core.sequential.fractions import Counts
from sark_operator.core.sequential.sides import SLOW_SHARE, slow
from sark_operator.core.sequential.weight import UNWEIGHED, Weight

from .ruling import Ruling
from .share import Share, judge_share

NAME: Final = "latencyP95"
FOLLOWS_IN_A_WINDOW: Final = 1.1
"""By how many times the stored p95 changes in one `criteria.window` at most."""
_EMPTY: Final = Histogram((), ())


@dataclass(frozen=True, slots=True)
class Reference:
    """The baseline p95 that the new arm is compared with."""

    seconds: float
    source: str
    """What it is, for the sentence."""


def baseline_p95_microseconds(settings: LatencyP95, arms: Mapping[str, ArmWindow] | Missing) -> int | None:
    """Return the baseline arm's p95 in this window, worth storing for later; None without enough samples."""
    if isinstance(arms, Missing):
        return None
    histogram = arms.get(ARM_BASELINE, ArmWindow()).latency
    if readable(histogram) or histogram.total < settings.min_samples:
        return None
    return max(1, round(quantile(mended(histogram), 0.95).seconds * 1_000_000))


def followed(stored: int | None, measured: int | None, windows: float) -> int | None:
    """Return the p95 to store when `windows` (0 to 1) of `criteria.window` have passed since the last one, all in microseconds.

    The first one measured is taken as it is. Where too little changes for a whole microsecond, it is one.
    """
    if stored is None or measured is None:
        return measured or stored
    factor = math.pow(FOLLOWS_IN_A_WINDOW, windows)
    least = 1 if windows > 0 else 0
    lowest, highest = min(round(stored / factor), stored - least), max(round(stored * factor), stored + least)
    return max(1, min(max(measured, lowest), highest))


def judge_latency_p95(
    settings: LatencyP95,
    window: timedelta,
    share: int,
    arms: Mapping[str, ArmWindow] | Missing,
    *,
    stored_microseconds: int | None = None,
    query: str = "",
    weight: Weight = UNWEIGHED,
) -> CriterionStatus:
    """Return Breach when more than 5 % of the new arm's requests are proven to be slower than the limit.

    `share` is the share in force in percent; `stored_microseconds` the last baseline p95 measured.
    """
    ruling = Ruling(NAME, settings.action, query, settings.min_samples, weight)
    if isinstance(arms, Missing):
        return ruling.unknown(arms.message)
    reference = _reference(settings, window, share, arms, stored_microseconds)
    if isinstance(reference, str):
        return ruling.unknown(reference)
    histogram, over = arms.get(ARM_NEW, ArmWindow()).latency, format_duration(window)
    threshold = reference.seconds * settings.limit_percent_of_baseline / 100
    if problem := _problem("new", histogram, 1 if weight.proven else settings.min_samples, over):
        return ruling.unknown(problem, limit=milliseconds(threshold), samples=_samples(histogram))
    times = f"{settings.limit_percent_of_baseline / 100:g} times {reference.source}"
    baseline = arms.get(ARM_BASELINE, ArmWindow()).latency if share < FULL else _EMPTY
    return _compare(ruling, mended(histogram), slow(baseline, threshold), threshold, over=over, times=times)


def slow_seconds(
    settings: LatencyP95, window: timedelta, share: int, arms: Mapping[str, ArmWindow], stored_microseconds: int | None
) -> float | None:
    """Return the latency above which a request of the new arm is slow; None when there is no baseline to take it from."""
    reference = _reference(settings, window, share, arms, stored_microseconds)
    return None if isinstance(reference, str) else reference.seconds * settings.limit_percent_of_baseline / 100


def _compare(
    ruling: Ruling, histogram: Histogram, baseline: Counts, threshold: float, *, over: str, times: str
) -> CriterionStatus:
    """Return the verdict on a readable histogram; `times` says where the threshold comes from."""
    above = share_above(histogram, threshold)
    p95 = quantile(histogram, 0.95)

    def sentence(value: str, sign: str, most: str) -> str:
        requests = count(histogram.total, "request")
        return f"{value} {sign} {most} of {requests} over {over} took longer than {milliseconds(threshold)}, {times}"

    return judge_share(
        ruling,
        Share(Counts(above.share * histogram.total, histogram.total), SLOW_SHARE, baseline),
        sentence,
        value=f"p95 {'above ' if p95.beyond else ''}{milliseconds(p95.seconds)}",
        limit=milliseconds(threshold),
        warning="the limit lies beyond the last bucket, whose requests all count as slower" if above.open_bucket else "",
    )


def _reference(
    settings: LatencyP95, window: timedelta, share: int, arms: Mapping[str, ArmWindow], stored_microseconds: int | None
) -> Reference | str:
    """Return the baseline p95, or why there is none."""
    arm = arms.get(ARM_BASELINE)
    if share < FULL and arm is not None:
        if problem := _problem("baseline", arm.latency, settings.min_samples, format_duration(window)):
            return problem
        p95 = quantile(mended(arm.latency), 0.95)
        prefix = "the baseline's p95, which is at least " if p95.beyond else "the baseline's p95 of "
        return Reference(p95.seconds, prefix + milliseconds(p95.seconds))
    if stored_microseconds is None:
        return "there is no baseline to compare with: its arm served nothing and no earlier p95 of it is stored"
    seconds = stored_microseconds / 1_000_000
    return Reference(seconds, f"the baseline's stored p95 of {milliseconds(seconds)}")


def _problem(arm: str, histogram: Histogram, min_samples: int, over: str) -> str:
    if histogram == _EMPTY:
        return f"the {arm} arm has no latencies in {over}, {min_samples:,} needed"
    if unreadable := readable(histogram):
        return f"{unreadable} ({arm} arm)"
    if histogram.total < min_samples:
        return f"{count(histogram.total, 'request')} of the {arm} arm in {over}, {min_samples:,} needed"
    return ""


def _samples(histogram: Histogram) -> float:
    return 0.0 if histogram == _EMPTY or readable(histogram) else histogram.total
