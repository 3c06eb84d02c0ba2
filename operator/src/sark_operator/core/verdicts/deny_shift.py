"""denyShift: does the new arm refuse more than the baseline arm does in the same windows, or less?

A broken engine that refuses everything is fast and free of errors; one that permits everything is too. Odds are compared, which
treat rates near 0 and near 1 alike. Subjects differ, so the limit is a factor, not equality.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sark_api.duration import format_duration
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import DenyShift
from sark_api.status import CriterionStatus
from sark_operator.core.buckets import plausible_count
from sark_operator.core.figures import count
from sark_operator.core.observation import ArmWindow, Missing
from sark_operator.core.sequential.bounds import wilson
from sark_operator.core.sequential.fractions import Counts
from sark_operator.core.sequential.sides import allowed, refused, shift_limit
from sark_operator.core.sequential.weight import UNWEIGHED, Weight

from .ruling import Ruling

NAME: Final = "denyShift"


def judge_deny_shift(
    settings: DenyShift,
    window: timedelta,
    arms: Mapping[str, ArmWindow] | Missing,
    query: str = "",
    *,
    weight: Weight = UNWEIGHED,
) -> CriterionStatus:
    """Return Breach when the odds of a refusal are proven to differ by more than the limit, one way or the other."""
    ruling = Ruling(NAME, settings.action, query, settings.min_samples, weight)
    times = settings.limit_percent_of_odds / 100
    limit, over = f"{times:g} times the odds", format_duration(window)
    if isinstance(arms, Missing):
        return ruling.unknown(arms.message, limit=limit)
    new, baseline = (arms.get(arm, ArmWindow()) for arm in (ARM_NEW, ARM_BASELINE))
    if not all(plausible_count(number) for arm in (new, baseline) for number in (arm.requests, arm.errors, arm.refusals)):
        return ruling.unknown(f"Prometheus counted numbers in {over} that are no counts", limit=limit)
    ours, theirs = refused(new), refused(baseline)
    least = min(ours.total, theirs.total)
    if least < settings.min_samples and not weight.proven:
        which = "new" if ours.total <= theirs.total else "baseline"
        few = f"{count(least, 'decision')} of the {which} arm in {over}, {settings.min_samples:,} needed"
        return ruling.unknown(few, limit=limit, samples=least)
    value = f"{ours.share:.2%} refused"
    said = f"{value} of {count(ours.total, 'decision')} over {over}, {theirs.share:.2%} by the baseline"
    far = weight.seasoned and _apart(ours, theirs, settings.limit_percent_of_odds)
    if weight.proven or far:
        why = f"{said}: {weight.clause if weight.proven else f'{limit} apart with 99.9% confidence'}"
        return ruling.measured(breach=True, message=why, value=value, limit=limit, samples=least)
    above = _above(ours, theirs, new, baseline, settings.limit_percent_of_odds)
    if weight.quiet or weight.doubtful or above:
        apart = above or not weight.quiet
        why = f"{said}: more than {limit} apart, not proven: {weight.clause}" if apart else f"{said}, but {weight.clause}"
        return ruling.undecided(why, value=value, limit=limit, samples=least)
    return ruling.measured(breach=False, message=f"{said}: within {limit}", value=value, limit=limit, samples=least)


def _above(ours: Counts, theirs: Counts, new: ArmWindow, baseline: ArmWindow, percent: int) -> bool:
    return ours.share > shift_limit(percent, theirs) or allowed(new).share > shift_limit(percent, allowed(baseline))


def _apart(ours: Counts, theirs: Counts, percent: int) -> bool:
    """Return whether even the ends of both arms' intervals that are nearest to each other are the limit apart."""
    if min(ours.total, theirs.total) <= 0:
        return False
    (least, most), (their_least, their_most) = wilson(ours.hits, ours.total), wilson(theirs.hits, theirs.total)
    more = least > shift_limit(percent, Counts(their_most, 1.0))
    return more or 1 - most > shift_limit(percent, Counts(1 - their_least, 1.0))
