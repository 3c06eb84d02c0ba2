"""A healthy rollout under all criteria that compare arms, at once: the operator's own weighing and verdicts, not a copy."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from math import inf
from random import Random
from typing import Final

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Criteria
from sark_api.status import Evidence, Verdict
from sark_operator.core.observation import ArmWindow, CountedWindow, Histogram
from sark_operator.core.sequential.sides import Setting
from sark_operator.core.sequential.weighing import weigh
from sark_operator.core.verdicts.deny_shift import judge_deny_shift
from sark_operator.core.verdicts.error_rate import judge_error_rate
from sark_operator.core.verdicts.latency_p95 import judge_latency_p95, slow_seconds
from sark_operator.core.verdicts.sample_ratio import judge_sample_ratio

from .arms import BAKE, PER_MINUTE, WINDOW_SECONDS, clinging
from .runs import each_of

NAMES: Final = ("errorRate", "latencyP95", "denyShift", "sampleRatio")
PERCENT: Final = 25
_CRITERIA: Final = Criteria()
_WINDOW: Final = timedelta(seconds=WINDOW_SECONDS)
_LATELY: Final = 5 * PER_MINUTE
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_BOUNDS: Final = (0.005, 0.01, inf)
"""Buckets of latency in seconds: the baseline's p95 is at the first, so that the limit is at the second."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Both arms at a share of 25 %, near every limit."""

    per_minute: int
    """Requests of both arms together."""
    rho: float
    """How much what happens to requests of one window clings together."""
    error_rate: float = 0.009
    slow_share: float = 0.045
    """Of the new arm's requests, slower than twice the baseline's p95."""
    refused: float = 0.1
    """Share of decisions of the baseline that are refusals."""
    refused_times: float = 2.0
    """Odds of a refusal in the new arm, as many times those of the baseline: others ask it. The limit is 4."""

    def arms(self, random: Random) -> tuple[ArmWindow, ArmWindow]:
        """Return what a window counts of the new arm and of the baseline."""
        total = self.per_minute // PER_MINUTE
        requests = clinging(random, total, PERCENT / 100, self.rho)
        odds = self.refused_times * self.refused / (1 - self.refused)
        new = self._arm(random, requests, self.error_rate, self.slow_share, odds / (1 + odds))
        return new, self._arm(random, total - requests, 0.002, 0.005, self.refused)

    def _arm(self, random: Random, requests: int, errors: float, slow: float, refused: float) -> ArmWindow:
        failed = clinging(random, requests, errors, self.rho)
        late = clinging(random, requests, slow, self.rho)
        within = round(0.951 * requests) if slow < 0.05 / 2 else 0
        latency = Histogram(_BOUNDS, (float(min(within, requests - late)), float(requests - late), float(requests)))
        return ArmWindow(requests, failed, latency, clinging(random, requests - failed, refused, self.rho))


def taken_back(fleet: Fleet, runs: int, seed: int, length: int = BAKE) -> dict[str, float]:
    """Return by criterion the share of runs in which it takes the rollout back, and under "any" that of one of them."""
    found = each_of(runs, partial(_bake, fleet, seed, length))
    by_name = {name: sum(name in names for names in found) / runs for name in NAMES}
    return {**by_name, "any": sum(bool(names) for names in found) / runs}


def _bake(fleet: Fleet, seed: int, length: int, run: int) -> frozenset[str]:
    """Return the criteria that breach in one bake."""
    random = Random(f"{seed} {run} {fleet}")
    recent: deque[tuple[ArmWindow, ArmWindow]] = deque(maxlen=_LATELY)
    evidence: list[Evidence] = []
    breached: set[str] = set()
    for number in range(length):
        now = _START + number * _WINDOW
        new, baseline = fleet.arms(random)
        recent.append((new, baseline))
        lately = {arm: _sum([pair[index] for pair in recent]) for index, arm in enumerate((ARM_NEW, ARM_BASELINE))}
        window = CountedWindow(now, now + _WINDOW, {ARM_NEW: new, ARM_BASELINE: baseline})
        slow = slow_seconds(_CRITERIA.latency_p95, _CRITERIA.window, PERCENT, lately, None)
        setting = Setting(_CRITERIA, PERCENT, lately, slow, _START, lasting=number >= _LATELY)
        weighing = weigh(evidence, setting, (window,), now)
        evidence = weighing.evidence
        weights, over = weighing.weights, _CRITERIA.window
        verdicts = (
            judge_error_rate(_CRITERIA.error_rate, over, lately, weight=weights["errorRate"], beside_baseline=True),
            judge_latency_p95(_CRITERIA.latency_p95, over, PERCENT, lately, weight=weights["latencyP95"]),
            judge_deny_shift(_CRITERIA.deny_shift, over, lately, weight=weights["denyShift"]),
            judge_sample_ratio(_CRITERIA.sample_ratio, over, PERCENT, lately, weight=weights["sampleRatio"]),
        )
        breached |= {each.name for each in verdicts if each.verdict is Verdict.BREACH}
    return frozenset(breached)


def _sum(arms: list[ArmWindow]) -> ArmWindow:
    buckets = zip(*(arm.latency.counts for arm in arms), strict=True)
    return ArmWindow(
        sum(arm.requests for arm in arms),
        sum(arm.errors for arm in arms),
        Histogram(arms[0].latency.bounds, tuple(map(sum, buckets))),
        sum(arm.refusals for arm in arms),
    )
