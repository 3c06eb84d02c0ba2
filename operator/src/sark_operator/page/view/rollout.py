"""One rollout: where it is, why, what comes, what would take it back, what was decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sark_api.duration import format_duration
from sark_api.evidence import EvidenceRecord
from sark_api.spec import Mode
from sark_api.status import HistoryEntry, Phase, Revert, Wait, WaitKind
from sark_operator.core.ahead import ahead
from sark_operator.core.ways_back import ways_back

from .badge import Badge, phase_badge
from .criteria import Card, card
from .listing import doubted, observed_share
from .seen import Seen
from .timeline import Stage, timeline

_LONGEST_REVISION: Final = 20
_DOWN: Final = "down"
_UP: Final = "up"


@dataclass(frozen=True, slots=True)
class Coming:
    """What comes next."""

    what: str
    earliest: datetime | None
    no_time: str
    """Why no time can be said; empty where there is one."""
    waits: tuple[Wait, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """One transition, as a line of the history."""

    number: int
    """0 for one that has no record."""
    time: datetime
    reason: str
    share: str
    way: str
    """up, down, or empty where the share stayed."""
    actor: str
    message: str


@dataclass(frozen=True, slots=True)
class WayBack:
    """The last revert."""

    title: str
    message: str
    decided_at: datetime
    restored: str


@dataclass(frozen=True, slots=True)
class Replicas:
    """Which sidecars have confirmed."""

    text: str
    complete: bool
    laggards: tuple[str, ...]
    more: int
    """How many laggards are not named."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything the page of one rollout shows, without the curves."""

    namespace: str
    name: str
    href: str
    phase: Badge
    reason: str
    message: str
    doubts: tuple[str, ...]
    target: str
    observed: str
    facts: tuple[tuple[str, str], ...]
    evaluated_at: datetime | None
    replicas: Replicas | None
    stages: tuple[Stage, ...]
    frozen: str
    coming: Coming | None
    dangers: tuple[str, ...]
    blind_until: datetime | None
    revert: WayBack | None
    cards: tuple[Card, ...]
    baseline_only: tuple[tuple[str, str], ...]
    baseline_only_more: int
    decisions: tuple[Decision, ...]


def view(seen: Seen, now: datetime) -> View:
    """Return what is shown of a rollout; by itself it changes once a minute at most."""
    status = seen.status
    ways = ways_back(seen.spec, status)
    policies = status.policies
    dangers = [*(f"{name} proven beyond {limit}" for name, limit in ways.criteria), *ways.besides]
    if ways.blind_for is not None:
        dangers.append(f"a criterion that reverts not seen for {format_duration(ways.blind_for)}")
    return View(
        namespace=seen.namespace,
        name=seen.name,
        href=seen.href,
        phase=phase_badge(status.phase),
        reason=status.reason,
        message=status.message or "No operator has looked at it yet.",
        doubts=doubted(seen, now),
        target=f"{status.flags.percent}%" if status.flags else "0%",
        observed=observed_share(status),
        facts=tuple(_facts(seen)),
        evaluated_at=status.evaluated_at,
        replicas=_replicas(seen),
        stages=timeline(seen),
        frozen=status.bake.frozen if status.bake and status.phase in (Phase.PROGRESSING, Phase.PAUSED) else "",
        coming=_coming(seen, now),
        dangers=tuple(dangers),
        blind_until=ways.blind_until,
        revert=_way_back(status.revert) if status.revert and _reverted(seen) else None,
        cards=tuple(map(card, status.criteria)),
        baseline_only=tuple((each.path, each.reason) for each in policies.baseline_only) if policies else (),
        baseline_only_more=policies.baseline_only_count - len(policies.baseline_only) if policies else 0,
        decisions=tuple(map(decision, reversed(status.history))),
    )


def decision(entry: HistoryEntry | EvidenceRecord) -> Decision:
    """Return a transition as a line."""
    before, after = entry.from_percent, entry.to_percent
    return Decision(
        number=entry.number,
        time=entry.time,
        reason=entry.reason,
        share=f"{before}% → {after}%" if before != after else f"{after}%",
        way=_DOWN if after < before else _UP if after > before else "",
        actor=entry.actor,
        message=entry.message,
    )


def _reverted(seen: Seen) -> bool:
    return seen.status.phase in (Phase.REVERTING, Phase.REVERTED)


def _facts(seen: Seen) -> list[tuple[str, str]]:
    status = seen.status
    facts = [("Attempt", str(status.attempt or seen.spec.attempt))]
    if status.flags is not None:
        facts.append(("Flag revision", f"{status.flags.revision:,}"))
    if status.policies is not None and status.policies.revision:
        facts.append(("Policy revision", _short(status.policies.revision)))
    if seen.spec.mode is not Mode.AUTO:
        facts.append(("Mode", seen.spec.mode.value))
    if seen.deleting:
        facts.append(("Deletion", "asked for"))
    return facts


def _short(revision: str) -> str:
    """Return a revision short enough for a tile; the whole of a digest is in the records."""
    return revision if len(revision) <= _LONGEST_REVISION else f"{revision[:12]}..."


def _replicas(seen: Seen) -> Replicas | None:
    convergence = seen.status.convergence
    if convergence is None:
        return None
    late = max(0, convergence.total - convergence.confirmed)
    return Replicas(
        text=f"{convergence.confirmed:,} of {convergence.total:,}",
        complete=late == 0 and convergence.total > 0,
        laggards=tuple(convergence.laggards),
        more=max(0, late - len(convergence.laggards)),
    )


def _coming(seen: Seen, now: datetime) -> Coming | None:
    """Return what comes next, reckoned from the status without its clock, so that it changes only when the status does."""
    if seen.deleting or not seen.status.conditions:
        return None
    found = seen.status.next or ahead(seen.spec, seen.status, seen.status.evaluated_at or now)
    if found is None:
        return None
    watch = any(wait.kind is WaitKind.WATCH for wait in found.waits)
    what = "End of the watch" if watch else f"{found.percent}%" if found.percent is not None else "Completion"
    blocked = any(wait.until is None for wait in found.waits)
    no_time = "" if found.earliest else "no time can be said yet" if blocked else "at the next evaluation"
    return Coming(what, found.earliest, no_time, tuple(found.waits))


def _way_back(revert: Revert) -> WayBack:
    cause = revert.criterion or revert.reason
    if revert.completed_at is None:
        restored = "Not yet confirmed by every sidecar."
    else:
        seconds = (revert.completed_at - revert.decided_at) / timedelta(seconds=1)
        restored = f"Every ready sidecar had confirmed 0% when the operator looked {seconds:.1f} s after the decision."
    return WayBack(f"Went back from {revert.from_percent}%: {cause}", revert.message, revert.decided_at, restored)
