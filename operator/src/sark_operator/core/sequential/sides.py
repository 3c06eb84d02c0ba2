"""What each test bets on in a window: one function per side of a criterion, from the window to a fraction and its limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Criteria
from sark_operator.core.buckets import mended, readable, share_above
from sark_operator.core.lifecycle import is_split
from sark_operator.core.observation import ArmWindow, CountedWindow, Histogram

from .fractions import Counts, Fraction, limit_beside
from .odds import shifted

SLOW_SHARE: Final = 0.05
"""Share of requests that may be slower than the limit: what a 95th percentile leaves above itself."""
LEAST_LIMIT: Final = 0.01
"""No shift below this share of requests is looked for."""
_NOTHING: Final = ArmWindow()


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same for all windows of a tick."""

    criteria: Criteria
    percent: int
    lately: Mapping[str, ArmWindow]
    """The arms over criteria.window; empty when they cannot be seen."""
    slow_seconds: float | None
    """Latency above which a request is slow; None without a baseline to take it from."""

    settled_since: datetime | None = None
    """Since when every sidecar serves the share; None while one does not."""
    lasting: bool = True
    """Whether the attempt has lasted for criteria.window, so that its numbers are no longer those of one counting window."""

    def settled(self, window: CountedWindow) -> bool:
        """Return whether every sidecar served the share during all of `window`."""
        return self.settled_since is not None and window.start >= self.settled_since

    def baseline(self, arms: Mapping[str, ArmWindow]) -> ArmWindow:
        """Return the baseline arm of `arms`; at 100 % a few stragglers are nothing to compare with."""
        return arms.get(ARM_BASELINE, _NOTHING) if is_split(self.percent) else _NOTHING


Side = Callable[[Setting, CountedWindow], Fraction | None]


def errors(setting: Setting, window: CountedWindow) -> Fraction | None:
    """Errors among the new arm's requests."""
    limit = setting.criteria.error_rate.limit_basis_points / 10_000
    beside = limit_beside(limit, *(erring(setting.baseline(of)) for of in (setting.lately, window.arms)))
    return _fraction(erring(window.arms.get(ARM_NEW, _NOTHING)), beside)


def slow_requests(setting: Setting, window: CountedWindow) -> Fraction | None:
    """Slow ones among the new arm's requests."""
    threshold = setting.slow_seconds
    if threshold is None:
        return None
    beside = limit_beside(SLOW_SHARE, *(slow(setting.baseline(of).latency, threshold) for of in (setting.lately, window.arms)))
    return _fraction(slow(window.arms.get(ARM_NEW, _NOTHING).latency, threshold), beside)


def more_refusals(setting: Setting, window: CountedWindow) -> Fraction | None:
    """Refusals among the new arm's decisions."""
    return _shift(setting, window, refused)


def fewer_refusals(setting: Setting, window: CountedWindow) -> Fraction | None:
    """Permissions among the new arm's decisions."""
    return _shift(setting, window, allowed)


def more_requests(setting: Setting, window: CountedWindow) -> Fraction | None:
    """The new arm's among all requests."""
    return _ratio(setting, window, new=True)


def fewer_requests(setting: Setting, window: CountedWindow) -> Fraction | None:
    """The baseline arm's among all requests."""
    return _ratio(setting, window, new=False)


def fallbacks(setting: Setting, window: CountedWindow) -> Fraction | None:
    """Requests of the new arm that the baseline had to answer, among all of them."""
    requests, fallen_back = window.arms.get(ARM_NEW, _NOTHING).requests, window.plane.fallbacks
    if fallen_back is None:
        return None
    return _fraction(Counts(fallen_back, requests), setting.criteria.fallback_rate.limit_basis_points / 10_000)


def slow_evaluations(setting: Setting, window: CountedWindow) -> Fraction | None:
    """Slow ones among the embedded engine's evaluations."""
    return _fraction(slow(window.plane.evaluations, setting.criteria.opa_p95.limit_microseconds / 1_000_000), SLOW_SHARE)


def slow_lookups(setting: Setting, window: CountedWindow) -> Fraction | None:
    """Slow ones among the look-ups in the in-process cache."""
    return _fraction(slow(window.plane.lookups, setting.criteria.cache_p95.limit_microseconds / 1_000_000), SLOW_SHARE)


def mismatches(setting: Setting, window: CountedWindow) -> Fraction | None:
    """Decisions that differ, among those compared. With a limit of 0 nothing is bet: one that differs is a breach."""
    compared, limit = window.plane.compared, setting.criteria.decision_mismatch.limit_parts_per_million / 1_000_000
    if compared is None or limit <= 0:
        return None
    return _fraction(Counts(compared.mismatches, compared.matches + compared.mismatches), limit)


def erring(arm: ArmWindow) -> Counts:
    """Return errors of requests."""
    return Counts(arm.errors, arm.requests)


def refused(arm: ArmWindow) -> Counts:
    """Return refusals of genuine decisions."""
    return Counts(arm.refusals, max(0.0, arm.requests - arm.errors))


def allowed(arm: ArmWindow) -> Counts:
    """Return permissions of genuine decisions."""
    refusals = refused(arm)
    return Counts(max(0.0, refusals.total - refusals.hits), refusals.total)


def slow(histogram: Histogram, threshold: float) -> Counts:
    """Return how many took longer than `threshold` seconds; nothing of a histogram that is empty or cannot be read."""
    if readable(histogram) or histogram.total <= 0:
        return Counts()
    return Counts(share_above(mended(histogram), threshold).share * histogram.total, histogram.total)


def shift_limit(percent_of_odds: int, *baselines: Counts) -> float:
    """Return the limit of a fraction beside the largest of these of the baseline."""
    return max(LEAST_LIMIT, shifted(max((baseline.share for baseline in baselines), default=0.0), percent_of_odds / 100))


def _shift(setting: Setting, window: CountedWindow, count: Callable[[ArmWindow], Counts]) -> Fraction | None:
    lately, now = (count(setting.baseline(of)) for of in (setting.lately, window.arms))
    if now.total <= 0 or lately.total <= 0:
        return None
    limit = shift_limit(setting.criteria.deny_shift.limit_percent_of_odds, lately, now)
    return _fraction(count(window.arms.get(ARM_NEW, _NOTHING)), limit)


def _ratio(setting: Setting, window: CountedWindow, *, new: bool) -> Fraction | None:
    if not is_split(setting.percent):
        return None
    ours, theirs = (window.arms.get(arm, _NOTHING).requests for arm in (ARM_NEW, ARM_BASELINE))
    share = setting.percent / 100
    wanted, got = (share, ours) if new else (1 - share, theirs)
    return _fraction(Counts(got, ours + theirs), shifted(wanted, setting.criteria.sample_ratio.limit_percent_of_odds / 100))


def _fraction(counts: Counts, limit: float) -> Fraction | None:
    return Fraction(counts, limit) if counts.total > 0 else None
