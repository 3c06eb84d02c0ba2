"""Criteria whose limits are far below 1 %, one at a time: the operator's own weighing and verdicts, not a copy."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain, islice
from random import Random
from typing import Final

from sark_api.names import ARM_NEW
from sark_api.spec import Criteria, DecisionMismatch, FallbackRate
from sark_api.status import CriterionStatus, Evidence, Verdict
from sark_operator.core.observation import ArmWindow, Comparisons, CountedPlane, CountedWindow
from sark_operator.core.sequential.sides import Setting
from sark_operator.core.sequential.weighing import weigh
from sark_operator.core.sequential.weight import Weight
from sark_operator.core.verdicts.decision_mismatch import judge_decision_mismatch
from sark_operator.core.verdicts.fallback_rate import judge_fallback_rate

from .arms import BAKE, PER_MINUTE, WINDOW_SECONDS, Arms
from .bakes import GIVEN_UP
from .runs import each_of

FALLBACKS: Final = "fallbackRate"
MISMATCHES: Final = "decisionMismatch"
_PERCENT: Final = 25
_WINDOW: Final = timedelta(seconds=WINDOW_SECONDS)
_LATELY: Final = 5 * PER_MINUTE
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Small:
    """A new arm some of whose requests count against it: they fell back, or were compared and differ."""

    criterion: str
    """FALLBACKS or MISMATCHES."""
    limit: int
    """Parts per million; whole basis points for FALLBACKS."""
    per_minute: int
    """Requests, or comparisons, a minute."""
    rate: float
    """Expected fraction of those that count against it."""
    rho: float = 0.0
    """How much they cling together in a window."""

    @property
    def arms(self) -> Arms:
        """Both arms; what counts against the new one is its errors there."""
        return Arms(self.per_minute, self.rate, self.rho)

    @property
    def criteria(self) -> Criteria:
        """The default criteria with this limit."""
        if self.criterion == FALLBACKS:
            return Criteria(fallback_rate=FallbackRate(limit_basis_points=self.limit // 100))
        return Criteria(decision_mismatch=DecisionMismatch(limit_parts_per_million=self.limit))


def taken_back(small: Small, runs: int, seed: int, length: int = BAKE) -> float:
    """Return the share of runs in which the rollout is taken back within `length` windows."""
    return sum(found is not None for found in each_of(runs, partial(_bake, small, seed, length))) / runs


def delays(small: Small, healthy_rate: float, before: int, runs: int, seed: int) -> list[float | None]:
    """Return for each run after how many minutes `small` is taken back, when it was healthy for `before` windows.

    None is a run in which it is not within GIVEN_UP windows, or in which it was while it was healthy.
    """
    return each_of(runs, partial(_delay, small, healthy_rate, before, seed))


def _bake(small: Small, seed: int, length: int, run: int) -> int | None:
    windows = small.arms.windows(Random(f"{seed} {run} {small}"))
    return _breach(small, ((each.requests, each.errors) for each in islice(windows, length)))


def _delay(small: Small, healthy_rate: float, before: int, seed: int, run: int) -> float | None:
    random = Random(f"{seed} {run} {small}")
    good, bad = replace(small, rate=healthy_rate).arms.windows(random), small.arms.windows(random)
    windows = chain(islice(good, before), islice(bad, GIVEN_UP))
    breach = _breach(small, ((each.requests, each.errors) for each in windows))
    return None if breach is None or breach <= before else (breach - before) / PER_MINUTE


def _breach(small: Small, counted: Iterable[tuple[int, int]]) -> int | None:
    """Return after how many windows of (total, hits) there is a breach; None when there is none."""
    criteria = small.criteria
    evidence: list[Evidence] = []
    recent: deque[tuple[int, int]] = deque(maxlen=_LATELY)
    for number, (total, hits) in enumerate(counted, start=1):
        recent.append((total, hits))
        now = _START + number * _WINDOW
        window = CountedWindow(now - _WINDOW, now, {ARM_NEW: ArmWindow(total)}, _plane(small, total, hits))
        setting = Setting(criteria, _PERCENT, {}, slow_seconds=None, lasting=number >= _LATELY)
        weighing = weigh(evidence, setting, (window,), now)
        evidence = weighing.evidence
        of, found = (sum(each) for each in zip(*recent, strict=True))
        if _judged(small, criteria, of, found, weighing.weights[small.criterion]).verdict is Verdict.BREACH:
            return number
    return None


def _plane(small: Small, total: int, hits: int) -> CountedPlane:
    if small.criterion == FALLBACKS:
        return CountedPlane(fallbacks=hits)
    return CountedPlane(compared=Comparisons(total - hits, hits))


def _judged(small: Small, criteria: Criteria, total: int, hits: int, weight: Weight) -> CriterionStatus:
    if small.criterion == FALLBACKS:
        arms = {ARM_NEW: ArmWindow(total)}
        return judge_fallback_rate(criteria.fallback_rate, criteria.window, arms, hits, weight=weight)
    compared = Comparisons(total - hits, hits)
    return judge_decision_mismatch(criteria.decision_mismatch, criteria.window, compared, weight=weight)
