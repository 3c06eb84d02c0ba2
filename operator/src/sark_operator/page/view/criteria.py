"""What each criterion says, how near it is to its limit, and how sure the tests are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import log
from typing import Final

from sark_api.status import CriterionStatus, Verdict
from sark_operator.core.nearness import odds, share_of_limit

from .badge import Badge, verdict_badge

_TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "errorRate": ("Errors", "requests of the new arm without a genuine decision"),
    "latencyP95": ("Latency, p95", "of the new arm against the baseline arm"),
    "denyShift": ("Refusals", "share of refused requests, new arm against baseline"),
    "sampleRatio": ("Share of requests", "that the new arm really gets"),
    "memoryGrowth": ("Memory growth", "of the sidecar that grows fastest"),
    "fallbackRate": ("Fallbacks", "new-arm requests the baseline had to answer"),
    "opaP95": ("Engine, p95", "evaluations of the embedded engine"),
    "cacheP95": ("Cache, p95", "look-ups in the in-process cache"),
    "decisionMismatch": ("Different decisions", "found by comparing both arms in the shadow"),
    "throughput": ("Throughput", "requests a second of both arms together"),
    "cpu": ("CPU", "of the busiest sidecar"),
    "alerts": ("Alerts", "that fire and are about this rollout"),
}
_FULL: Final = 1000


@dataclass(frozen=True, slots=True)
class Scale:
    """A value on a scale from 0 to 1000, for a bar; the text says what it is."""

    value: int
    text: str


@dataclass(frozen=True, slots=True)
class Card:
    """One criterion."""

    name: str
    title: str
    what: str
    badge: Badge
    action: str
    value: str
    limit: str
    bound: str
    samples: str
    nearness: Scale | None
    """How much of the limit the value is; full at the limit."""
    confidence: Scale | None
    """Evidence of a breach on a logarithmic scale; full where it is one."""
    message: str
    query: str
    since: datetime | None


def card(criterion: CriterionStatus) -> Card:
    """Return how one criterion is shown."""
    title, what = _TITLES.get(criterion.name, (criterion.name, "a query of your own"))
    return Card(
        name=criterion.name,
        title=title,
        what=what,
        badge=verdict_badge(criterion),
        action=criterion.action,
        value=criterion.value or "-",
        limit=criterion.limit or "-",
        bound=criterion.bound,
        samples=_samples(criterion),
        nearness=_nearness(criterion),
        confidence=_confidence(criterion),
        message=criterion.message,
        query=criterion.query,
        since=criterion.since,
    )


def _samples(criterion: CriterionStatus) -> str:
    if criterion.samples < criterion.min_samples:
        return f"{criterion.samples:,} of {criterion.min_samples:,} needed"
    return f"{criterion.samples:,}"


def _nearness(criterion: CriterionStatus) -> Scale | None:
    share = share_of_limit(criterion)
    if share is None:
        return None
    # A value alone breaches nothing: what it is at least, or at most, does.
    unproven = ", which is not proven" if share > 1 and criterion.verdict is Verdict.PASS else ""
    return Scale(min(_FULL, round(share * _FULL)), f"{share:,.0%} of the limit{unproven}")


def _confidence(criterion: CriterionStatus) -> Scale | None:
    found = odds(criterion)
    if found is None:
        return None
    seen, needed = found
    position = log(max(seen, 1)) / log(needed) if needed > 1 else 1.0
    windows = f"{criterion.windows:,} counting {'window' if criterion.windows == 1 else 'windows'}"
    return Scale(min(_FULL, round(position * _FULL)), f"{seen:,} to 1 after {windows}; a breach at {needed:,} to 1")
