"""sampleRatio: does the new arm get the share of requests that was asked for?

The share is one of subjects, and Prometheus counts requests, which come in clusters by subject: an exact test on requests would
call every busy subject a fault. So only a gross mismatch counts, a factor of the odds, by a test that does not mind clusters
inside a window. It tells that assignment or telemetry is wrong; by default it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sark_api.duration import format_duration
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import SampleRatio
from sark_api.status import CriterionStatus
from sark_operator.core.buckets import plausible_count
from sark_operator.core.figures import count
from sark_operator.core.observation import ArmWindow, Missing
from sark_operator.core.sequential.odds import shifted
from sark_operator.core.sequential.weight import UNWEIGHED, Weight

from .ruling import Ruling

NAME: Final = "sampleRatio"


def judge_sample_ratio(
    settings: SampleRatio,
    window: timedelta,
    percent: int,
    arms: Mapping[str, ArmWindow] | Missing,
    query: str = "",
    *,
    weight: Weight = UNWEIGHED,
    settled: bool = False,
) -> CriterionStatus:
    """Return Breach when the odds of a request going to the new arm are proven to differ from `percent` by more than the limit.

    A mismatch in criteria.window alone is no breach. It is Unknown, if every sidecar has served `percent` in all of the window
    (`settled`); before, as while they take over a new share, it says nothing.
    """
    ruling = Ruling(NAME, settings.action, query, settings.min_samples, weight)
    times = settings.limit_percent_of_odds / 100
    limit, over = f"{times:g} times the odds", format_duration(window)
    if isinstance(arms, Missing):
        return ruling.unknown(arms.message, limit=limit)
    ours, theirs = (arms.get(arm, ArmWindow()).requests for arm in (ARM_NEW, ARM_BASELINE))
    if not plausible_count(ours) or not plausible_count(theirs):
        return ruling.unknown(f"Prometheus counted {ours:g} and {theirs:g} requests in {over}: not counts", limit=limit)
    total = ours + theirs
    if total < settings.min_samples and not weight.proven:
        few = f"{count(total, 'request')} of both arms in {over}, {settings.min_samples:,} needed"
        return ruling.unknown(few, limit=limit, samples=total)
    value = f"{ours / total:.1%} of requests" if total else "no requests"
    said = f"{value} over {over} ({count(total, 'request')}), {percent}% of subjects asked for"
    if weight.proven:
        return ruling.measured(breach=True, message=f"{said}: {weight.clause}", value=value, limit=limit, samples=total)
    low, high = shifted(percent / 100, 1 / times), shifted(percent / 100, times)
    allowed = f"{low:.1%} to {high:.1%} allowed"
    outside = total > 0 and not low <= ours / total <= high
    if (outside and settled) or weight.quiet or weight.doubtful:
        apart = outside and (settled or not weight.quiet)
        why = f"{said}: outside of {allowed}, not proven: {weight.clause}" if apart else f"{said}, but {weight.clause}"
        return ruling.undecided(why, value=value, limit=limit, samples=total)
    message = f"{said}: {allowed}" + (f" once all of {over} is of this share" if outside else "")
    return ruling.measured(breach=False, message=message, value=value, limit=limit, samples=total)


def judge_nobody(
    settings: SampleRatio, window: timedelta, arms: Mapping[str, ArmWindow] | Missing, query: str = ""
) -> CriterionStatus:
    """Return Pass when the new arm had no request in `window`, in all of which every sidecar says that it serves 0 %.

    One that it had is no matter of chance: assignment or telemetry is wrong. What is wrong cannot be told, and there is nothing
    to take back, so the verdict is Unknown, which holds the step.
    """
    ruling = Ruling(NAME, settings.action, query)
    over = format_duration(window)
    if isinstance(arms, Missing):
        return ruling.unknown(arms.message, limit="no request")
    ours, theirs = (arms.get(arm, ArmWindow()).requests for arm in (ARM_NEW, ARM_BASELINE))
    if not plausible_count(ours) or not plausible_count(theirs):
        return ruling.unknown(f"Prometheus counted {ours:g} and {theirs:g} requests in {over}: not counts", limit="no request")
    total, value = ours + theirs, count(ours, "request")
    if ours > 0:
        mend = "does another process bear this rollout's label?"
        why = f"the new arm had {value} over {over}, though every sidecar says that it serves 0%: {mend}"
        return ruling.undecided(why, value=value, limit="no request", samples=total)
    message = f"no request of the new arm over {over} ({count(total, 'request')} in all), 0% asked for"
    return ruling.measured(breach=False, message=message, value="no request", limit="no request", samples=total)
