"""All rollouts at a glance: those that need a look first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sark_api.status import Phase, SarkRolloutStatus
from sark_operator.core.doubts import doubts

from .badge import Badge, phase_badge, summary_badge
from .bake import Meter, bake_meter
from .seen import Seen, Unread, Unreadable

PAGE_ROWS: Final = 100
"""Rows on one page of the list."""
MAX_SOUGHT: Final = 100
"""Longest text to search for."""
_ORDER: Final = (Phase.REVERTING, Phase.PROGRESSING, Phase.PAUSED, Phase.REVERTED, Phase.PENDING, Phase.COMPLETED)


@dataclass(frozen=True, slots=True)
class Row:
    """One rollout."""

    namespace: str
    name: str
    href: str
    phase: Badge
    target: str
    observed: str
    step: str
    bake: Meter | None
    verdict: Badge | None
    replicas: str
    lagging: bool
    reason: str
    message: str
    doubts: tuple[str, ...]
    changed_at: datetime | None

    @property
    def key(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list."""

    rows: tuple[Row, ...]
    unreadable: tuple[Unreadable, ...]
    unread: tuple[Unread, ...]
    counts: tuple[tuple[Badge, int], ...]
    """How many of all rollouts are in each phase."""
    total: int
    """All rollouts."""
    found: int
    """Those that the search found."""
    sought: str
    page: int
    """From 1."""
    pages: int
    cut: int
    """How many were read before it was given up, where there are more; 0 for all of them."""


def listing(
    rows: Sequence[Row],
    unreadable: Sequence[Unreadable],
    sought: str = "",
    page: int = 1,
    *,
    unread: Sequence[Unread] = (),
    cut: bool = False,
) -> Listing:
    """Return one page of the rollouts whose namespace/name, phase or reason has every word of `sought` in it."""
    words = sought[:MAX_SOUGHT].lower().split()
    found = sorted((each for each in rows if _matches(each, words)), key=_order)
    pages = max(1, -(-len(found) // PAGE_ROWS))
    page = min(max(1, page), pages)
    phases = Counter(each.phase.text for each in rows)
    return Listing(
        rows=tuple(found[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]),
        unreadable=tuple(unreadable),
        unread=tuple(unread),
        counts=tuple((phase_badge(phase), phases[phase.value]) for phase in _ORDER if phases[phase.value]),
        total=len(rows) + len(unreadable),
        found=len(found),
        sought=sought[:MAX_SOUGHT],
        page=page,
        pages=pages,
        cut=len(rows) + len(unreadable) if cut else 0,
    )


def _matches(row: Row, words: Sequence[str]) -> bool:
    text = f"{row.key} {row.phase.text} {row.reason}".lower()
    return all(word in text for word in words)


def _order(row: Row) -> tuple[int, str]:
    return _ORDER.index(Phase(row.phase.text)), row.key


def row(seen: Seen, now: datetime) -> Row:
    """Return a rollout as one row; it keeps little of it, for there may be thousands.

    By itself it changes once a minute at most.
    """
    status = seen.status
    seen_by = status.convergence
    return Row(
        namespace=seen.namespace,
        name=seen.name,
        href=seen.href,
        phase=phase_badge(status.phase),
        target=f"{status.flags.percent}%" if status.flags else "0%",
        observed=observed_share(status),
        step=status.summary.step or "-",
        bake=bake_meter(status),
        verdict=summary_badge(status.summary.verdict),
        replicas=status.summary.replicas or "-",
        lagging=seen_by is not None and seen_by.confirmed < seen_by.total,
        reason=status.reason,
        message=status.message or "No operator has looked at it yet.",
        doubts=doubted(seen, now),
        changed_at=status.history[-1].time if status.history else seen.created_at,
    )


def doubted(seen: Seen, now: datetime) -> tuple[str, ...]:
    """Return why what is shown may not be so, with times in whole minutes."""
    return tuple(doubts(seen.spec, seen.status, seen.generation, now.replace(second=0, microsecond=0)))


def observed_share(status: SarkRolloutStatus) -> str:
    """Return the new arm's share of requests in percent with at most one decimal; a dash without data.

    At 0% there is none: the arm is not measured any more, and what the status has is from before it went back.
    """
    points = status.observed_basis_points
    if points is None or status.flags is None or status.flags.percent == 0:
        return "-"
    return f"{points / 100:.1f}".removesuffix(".0") + "%"
