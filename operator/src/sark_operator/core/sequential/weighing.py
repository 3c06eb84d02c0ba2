"""Adding windows to the evidence: each once, in their order, and never one that was counted before.

The evidence lives in the status, together with the end of the last window in it. An operator that dies before the status is
stored leaves both as they were, and the next one counts the same windows from the same point: nothing is lost and nothing
counts twice.

A window in which the requests of an arm are no counts is left out: no bet is made on it, whatever it would have shown. A number
from inside the new arm that is no count keeps only its own criterion from betting: look-ups that cannot be read must not hide
errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sark_api.spec import Criteria
from sark_api.status import Evidence
from sark_operator.core.buckets import plausible_count
from sark_operator.core.observation import CountedWindow

from . import sides, wager
from .fractions import Fraction
from .weight import Weight, heavier

TESTS: Final[Mapping[str, Mapping[str, sides.Side]]] = {
    "errorRate": {"errorRate": sides.errors},
    "latencyP95": {"latencyP95": sides.slow_requests},
    "denyShift": {"denyShift/more": sides.more_refusals, "denyShift/fewer": sides.fewer_refusals},
    "sampleRatio": {"sampleRatio/more": sides.more_requests, "sampleRatio/fewer": sides.fewer_requests},
    "fallbackRate": {"fallbackRate": sides.fallbacks},
    "opaP95": {"opaP95": sides.slow_evaluations},
    "cacheP95": {"cacheP95": sides.slow_lookups},
    "decisionMismatch": {"decisionMismatch": sides.mismatches},
}
"""The sides of each criterion that is tested sequentially. Each criterion has an equal part of the chance of a false revert,
and each of its sides an equal part of that; what criteria that only warn leave over is not given to the others."""

SEASONED: Final = 2
"""Counting windows before one look at criteria.window may be a breach by itself. When a rollout has just begun it holds no more
than one of these, and errors that cling together can make a healthy arm look like a catastrophe in it."""
WHEN_SETTLED: Final = frozenset({"sampleRatio"})
"""Criteria that mean something only once every sidecar serves the share asked for."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """All tests after one tick."""

    evidence: list[Evidence]
    """For the status."""
    weights: Mapping[str, Weight]
    """By criterion."""
    counted_until: datetime | None


def needed(criteria: Criteria, sides_of_criterion: int) -> float:
    """Return the evidence at which a side is a breach."""
    idle = 0 if criteria.decision_mismatch.limit_parts_per_million else 1  # with a limit of 0 it is no test
    return (len(TESTS) - idle) * sides_of_criterion * 10_000 / criteria.false_revert_basis_points


def countable(windows: Iterable[CountedWindow], since: datetime, now: datetime) -> list[CountedWindow]:
    """Return the windows that begin at `since` or later and have ended, oldest first, none overlapping another.

    Those at the end in which nobody asked anything of either arm are left for later: a Prometheus whose clock is behind answers
    so for windows that lie in its future, by the last samples it has. Were they counted, no evidence would ever be gathered. So
    are those that are no counts: it is to show when nothing can be counted any more.
    """
    kept: list[CountedWindow] = []
    for window in sorted(windows, key=lambda window: window.end):
        if (kept[-1].end if kept else since) <= window.start < window.end <= now:
            kept.append(window)
    while kept and not (_is_sound(kept[-1]) and any(arm.requests for arm in kept[-1].arms.values())):
        kept.pop()
    return kept


def weigh(
    before: Sequence[Evidence], setting: sides.Setting, windows: Sequence[CountedWindow], counted_until: datetime | None
) -> Weighing:
    """Add `windows`, all of which are countable, to the evidence `before`."""
    known = {evidence.name: evidence for evidence in before}
    stored: list[Evidence] = []
    weights: dict[str, Weight] = {}
    sound = [_readable(window) for window in windows if _is_sound(window)]
    for criterion, tests in TESTS.items():
        enough = needed(setting.criteria, len(tests))
        found: list[Weight] = []
        for name, side in tests.items():
            fractions = [
                fraction
                for window in sound
                if (criterion not in WHEN_SETTLED or setting.settled(window)) and (fraction := side(setting, window))
            ]
            evidence, weight = _added(known.get(name), name, setting.percent, fractions, enough)
            stored += [evidence] if evidence else []
            found.append(weight)
        weight = heavier(tuple(found))
        weights[criterion] = replace(weight, seasoned=setting.lasting or weight.windows >= SEASONED)
    weights["decisionMismatch"] = replace(weights["decisionMismatch"], differing=_differing(windows))
    return Weighing(stored, weights, windows[-1].end if windows else counted_until)


def _added(
    before: Evidence | None, name: str, percent: int, fractions: Sequence[Fraction], enough: float
) -> tuple[Evidence | None, Weight]:
    """Return the evidence with the windows in it, and what it says; without a window it stays as it is."""
    pools = tuple(before.pools) if before and len(before.pools) == wager.POOLS else wager.opening()
    windows, samples, hits = (before.windows, before.samples, before.hits) if before else (0, 0, 0)
    odds = wager.evidence(pools)
    if not fractions:
        return before, Weight(odds, enough, windows, samples, hits)
    if before is not None and before.percent != percent:
        pools = wager.stirred(pools)
    for fraction in fractions:
        pools = wager.played(pools, fraction.counts.share, fraction.limit, most=2 * enough)
        odds = max(odds, wager.evidence(pools))
        windows += 1
        samples += round(fraction.counts.total)
        hits += round(fraction.counts.hits)
    evidence = Evidence(name=name, percent=percent, windows=windows, samples=samples, hits=hits, pools=list(pools))
    return evidence, Weight(odds, enough, windows, samples, hits)


def _differing(windows: Iterable[CountedWindow]) -> float:
    """Return how many decisions differ in all windows; a number that is no count, as after a restart, takes none away."""
    numbers = (window.plane.compared.mismatches for window in windows if window.plane.compared is not None)
    return sum(number for number in numbers if plausible_count(number))


def _is_sound(window: CountedWindow) -> bool:
    """Return whether every number of the arms can be a count."""
    return all(
        plausible_count(number)
        for arm in window.arms.values()
        for number in (arm.requests, arm.errors, arm.refusals, *arm.latency.counts)
    )


def _readable(window: CountedWindow) -> CountedWindow:
    """Return the window without what cannot be a count inside the new arm; a side reads its histogram only where it can."""
    fallbacks, compared = window.plane.fallbacks, window.plane.compared
    if fallbacks is not None and not plausible_count(fallbacks):
        fallbacks = None
    if compared is not None and not (plausible_count(compared.matches) and plausible_count(compared.mismatches)):
        compared = None
    return replace(window, plane=replace(window.plane, fallbacks=fallbacks, compared=compared))
