"""decisionMismatch: decisions of both arms on the same request, compared on the whole in the shadow of requests.

One decision that differs is evidence by itself, however few were compared: with a limit of 0 it is a breach at once. Where some
may differ, more are proven from window to window, as errors are; what is above the limit and not proven holds the step. So
does what the sidecars have seen differ and not confirmed yet, as long as it might make the difference.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sark_api.duration import format_duration
from sark_api.spec import DecisionMismatch
from sark_api.status import CriterionStatus
from sark_operator.core.buckets import plausible_count
from sark_operator.core.figures import count
from sark_operator.core.observation import Comparisons, Missing
from sark_operator.core.sequential.fractions import Counts
from sark_operator.core.sequential.weight import UNWEIGHED, Weight

from .ruling import Ruling
from .share import Share, judge_share

NAME: Final = "decisionMismatch"
_MILLION: Final = 1_000_000
_NAMED: Final = 5


def judge_decision_mismatch(
    settings: DecisionMismatch,
    window: timedelta,
    shadow: Comparisons | Missing,
    query: str = "",
    *,
    weight: Weight = UNWEIGHED,
) -> CriterionStatus:
    """Return Breach when more comparisons differ than the limit allows: one with a limit of 0, else proven by `weight`."""
    return _forgotten(settings, shadow, query, weight) or _shown(settings, window, shadow, query, weight)


def _forgotten(settings: DecisionMismatch, shadow: Comparisons | Missing, query: str, weight: Weight) -> CriterionStatus | None:
    """Return Breach when none may differ and some do in the counting windows that are new, though `shadow` shows none.

    criteria.window has lost them while nothing could be read. None where there is nothing to say beyond what it shows.
    """
    is_shown = not isinstance(shadow, Missing) and shadow.mismatches > 0
    if settings.limit_parts_per_million or not weight.differing > 0 or is_shown:
        return None
    message = f"{_decimal(weight.differing)} differed while nobody looked, by the counting windows since; at most 0 ppm may"
    ruling = Ruling(NAME, settings.action, query, settings.min_comparisons)
    return ruling.measured(breach=True, message=message, value="", limit="0 ppm", samples=weight.differing)


def _shown(
    settings: DecisionMismatch, window: timedelta, shadow: Comparisons | Missing, query: str, weight: Weight
) -> CriterionStatus:
    """Return what the comparisons in criteria.window say."""
    ruling = Ruling(NAME, settings.action, query, settings.min_comparisons, weight)
    limit, limit_text = settings.limit_parts_per_million / _MILLION, f"{settings.limit_parts_per_million:,} ppm"
    if isinstance(shadow, Missing):
        return ruling.unknown(shadow.message, limit=limit_text)
    over, total = format_duration(window), shadow.matches + shadow.mismatches
    if uncounted := _uncounted(shadow, over):
        return ruling.unknown(uncounted, limit=limit_text)
    value = _value(shadow, total)
    said = f"{_decimal(shadow.mismatches)} of {count(total, 'comparison')} over {over} differ{_named(shadow)}"
    if limit == 0 and shadow.mismatches > 0:
        message = f"{said}; at most {limit_text} may"
        return ruling.measured(breach=True, message=message, value=value, limit=limit_text, samples=total)
    few = f"{count(total, 'comparison')} in {over}, {settings.min_comparisons:,} needed"
    unclear = few if total < settings.min_comparisons else _unconfirmed(shadow, limit, said)
    if unclear and not weight.proven:
        return ruling.unknown(unclear, limit=limit_text, samples=total)
    if limit == 0:
        return ruling.measured(breach=False, message=said, value=value, limit=limit_text, samples=total)

    def sentence(_value: str, sign: str, _most: str) -> str:
        return said if sign == "<=" else f"{said}; at most {limit_text} may"

    found = Counts(shadow.mismatches, total)
    return judge_share(ruling, Share(found, limit, noun="comparison"), sentence, value=value, limit=limit_text)


def is_seen(shadow: Comparisons | Missing) -> bool:
    """Return whether decisions are being compared, however few they are; numbers that are no counts are none of it."""
    return not isinstance(shadow, Missing) and not _uncounted(shadow, "")


def _uncounted(shadow: Comparisons, over: str) -> str:
    """Return which numbers are no counts; empty when all are."""
    if not all(map(plausible_count, (shadow.matches, shadow.mismatches, shadow.unconfirmed))):
        return (
            f"Prometheus counted {shadow.matches:g} matches, {shadow.mismatches:g} mismatches in {over} "
            f"and {shadow.unconfirmed:g} not confirmed: not counts"
        )
    if not all(plausible_count(number) for _, _, number in shadow.differences):
        return f"what Prometheus counted in {over} of decisions that differ, by path and kind, are not counts"
    return ""


def _unconfirmed(shadow: Comparisons, limit: float, said: str) -> str:
    """Return what is unclear as long as those not confirmed would make more of them differ than may; empty when nothing is."""
    most, total = shadow.mismatches + shadow.unconfirmed, shadow.matches + shadow.mismatches
    if shadow.mismatches > limit * total or most <= limit * (total + shadow.unconfirmed):
        return ""
    return f"{said}, and {_decimal(shadow.unconfirmed)} more may: a sidecar is to look at OPA once more before it counts them"


def _value(shadow: Comparisons, total: float) -> str:
    return f"{shadow.mismatches / total * _MILLION:,.0f} ppm" if total else ""


def _decimal(number: float) -> str:
    """Return a count; one that the extrapolation left below one is still at least one."""
    return f"{max(1, round(number)):,}" if number > 0 else "0"


def _named(shadow: Comparisons) -> str:
    """Return which decisions differ and how, the commonest first."""
    named = [f"{kind} at {path} ({_decimal(number)})" for path, kind, number in shadow.differences[:_NAMED]]
    more = len(shadow.differences) - len(named)
    return f": {', '.join(named)}{f' and {more} more' if more else ''}" if named else ""
