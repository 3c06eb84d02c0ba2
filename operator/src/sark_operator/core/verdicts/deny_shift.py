"""denyShift: does the new arm refuse more than the baseline arm does in the same windows, or less?

A broken engine that refuses everything is fast and free of errors; one that permits everything is too. Odds are compared, which
treat rates near 0 and near 1 alike. Subjects differ, so the limit is a factor, not equality.

By default a breach holds, since few subjects can make a difference by themselves. An arm that refuses nearly everything goes
back all the same: to wait for a person would lock its subjects out without an end. One that permits everything does not: the
subjects who are refused may all be in the other arm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from sark_api.duration import format_duration
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Action, DenyShift
from sark_api.status import CriterionStatus
from sark_operator.core.buckets import plausible_count
from sark_operator.core.figures import count
from sark_operator.core.observation import ArmWindow, Missing
from sark_operator.core.sequential.bounds import wilson
from sark_operator.core.sequential.fractions import Counts
from sark_operator.core.sequential.odds import shifted
from sark_operator.core.sequential.sides import LEAST_LIMIT, allowed, refused, shift_limit
from sark_operator.core.sequential.weight import UNWEIGHED, Weight

from .ruling import Ruling

NAME: Final = "denyShift"
_NEARLY_ALL: Final = 0.9
"""Share of refusals from which on nobody is served any more, whoever the subjects are."""
_HALF: Final = 0.5
"""Share of refusals of a baseline that still serves its subjects."""
LOCKED_OUT: Final = "nine in ten or more refused, and half or less by the baseline, both with 99.9% confidence"
"""When a breach takes the share back although the action is Hold."""


def judge_deny_shift(
    settings: DenyShift,
    window: timedelta,
    arms: Mapping[str, ArmWindow] | Missing,
    query: str = "",
    *,
    weight: Weight = UNWEIGHED,
) -> CriterionStatus:
    """Return Breach when the odds of a refusal are proven to differ by more than the limit, one way or the other.

    Its action is that of `settings`, but Revert instead of Hold when the new arm refuses nearly everything.
    """
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
        locked_out = weight.seasoned and least >= settings.min_samples and _locked_out(ours, theirs)
        if locked_out and settings.action == Action.HOLD:
            ruling = replace(ruling, action=Action.REVERT)
            why += f"; it goes back though the action is Hold: with the same confidence {locked_out}"
        return ruling.measured(breach=True, message=why, value=value, limit=limit, samples=least)
    above = _above(ours, theirs, new, baseline, settings.limit_percent_of_odds)
    if weight.quiet or weight.doubtful or above:
        why = f"{said}: more than {limit} apart, not proven: {weight.clause}" if above else f"{said}, but {weight.clause}"
        return ruling.undecided(why, value=value, limit=limit, samples=least)
    met = f"within {limit}" if _within(ours, theirs, times) else f"no shift below {LEAST_LIMIT:.0%} of decisions is looked for"
    return ruling.measured(breach=False, message=f"{said}: {met}", value=value, limit=limit, samples=least)


def _above(ours: Counts, theirs: Counts, new: ArmWindow, baseline: ArmWindow, percent: int) -> bool:
    return ours.share > shift_limit(percent, theirs) or allowed(new).share > shift_limit(percent, allowed(baseline))


def _within(ours: Counts, theirs: Counts, times: float) -> bool:
    """Return whether the odds themselves are within the limit: rates very near 0 or 1 pass although theirs are not."""
    return shifted(theirs.share, 1 / times) <= ours.share <= shifted(theirs.share, times)


def _locked_out(ours: Counts, theirs: Counts) -> str:
    """Return, as a clause, that the new arm surely refuses nearly everything and the baseline does not; empty if not so."""
    least, most = wilson(ours.hits, ours.total)[0], wilson(theirs.hits, theirs.total)[1]
    if least < _NEARLY_ALL or most > _HALF:
        return ""
    return f"at least {least:.1%} are refused, nine in ten or more, and by the baseline at most {most:.1%}, half or less"


def _apart(ours: Counts, theirs: Counts, percent: int) -> bool:
    """Return whether even the ends of both arms' intervals that are nearest to each other are the limit apart."""
    if min(ours.total, theirs.total) <= 0:
        return False
    (least, most), (their_least, their_most) = wilson(ours.hits, ours.total), wilson(theirs.hits, theirs.total)
    more = least > shift_limit(percent, Counts(their_most, 1.0))
    return more or 1 - most > shift_limit(percent, Counts(1 - their_least, 1.0))
