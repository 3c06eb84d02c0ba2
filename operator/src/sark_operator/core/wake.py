"""When to look again at the latest: after the interval, or at the first deadline before it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sark_api.status import Phase, WaitKind

from .flag_plan import FlagPlan
from .plan import needs
from .tick import Tick

SOON: Final = timedelta(seconds=1)
"""How often sidecars are asked while they take over a share that was just written."""
_GATES: Final = (WaitKind.WINDOW, WaitKind.RETRY, WaitKind.WATCH)
_LEAST: Final = timedelta(milliseconds=100)
"""No tick follows another faster, whatever deadline is near."""


def wake_at(tick: Tick, plan: FlagPlan) -> datetime:
    """Return the latest time of the next tick."""
    first = min((tick.now + tick.spec.interval, *_deadlines(tick, plan)))
    return max(first, tick.now + _LEAST)


def _deadlines(tick: Tick, plan: FlagPlan) -> Iterator[datetime]:
    """Yield what happens at a known time; a deadline that has passed without effect no longer counts."""
    status, now, spec = tick.status, tick.now, tick.spec
    fresh = plan.applied is not None and now - plan.applied.written_at < max(spec.interval, SOON)
    if status.phase is Phase.REVERTING or plan.write or (fresh and not tick.sighting.converged) or tick.identity.deleting:
        yield now + SOON
    if plan.applied is not None and plan.applied.valid_until is not None:
        yield from _renewals(now, plan.applied.valid_until, spec.valid_for)
    if status.blind_since is not None and spec.rollback.blind_for:
        yield from _ahead(now, status.blind_since + spec.rollback.blind_for)
    if status.phase is Phase.PROGRESSING and tick.sighting.converged:
        yield from _step_deadlines(tick)
    yield from _gate_deadlines(tick)


def _renewals(now: datetime, valid_until: datetime, valid_for: timedelta) -> Iterator[datetime]:
    """Yield when a document is renewed.

    One that could not be, as while another one owns the flags, is tried when half of what was left has gone by; one that has
    run out waits for the interval.
    """
    due = valid_until - valid_for / 2
    if now <= due:  # it is due only afterwards
        yield due
    elif now < valid_until:
        yield now + max(SOON, (valid_until - now) / 2)


def _gate_deadlines(tick: Tick) -> Iterator[datetime]:
    """Yield when a window opens, an approval is no longer waited for, or a retry or a new attempt may begin."""
    status, now, spec = tick.status, tick.now, tick.spec
    if status.next is not None:
        for wait in status.next.waits:
            if wait.until is not None and wait.kind in _GATES:
                yield from _ahead(now, wait.until)
    if status.awaited is not None and spec.approvals.expire_after:
        yield from _ahead(now, status.awaited.since + spec.approvals.expire_after)
    last = status.revert
    if status.phase is Phase.REVERTED and last is not None and last.completed_at is not None and status.attempt < spec.attempt:
        yield from _ahead(now, last.completed_at + spec.criteria.window)


def _step_deadlines(tick: Tick) -> Iterator[datetime]:
    status, now = tick.status, tick.now
    if status.step is None or status.bake is None or status.bake.counted_at is None:
        return
    need = needs(tick.spec, status.step.percent)
    yield from _ahead(now, now + need.bake - timedelta(milliseconds=status.bake.proven_milliseconds))
    yield from _ahead(now, status.step.started_at + need.hold)
    since = tick.sighting.convergence.since
    if since is not None:
        yield from _ahead(now, since + tick.spec.criteria.window + tick.observation.metrics.age)


def _ahead(now: datetime, deadline: datetime) -> Iterator[datetime]:
    if deadline > now:
        yield deadline
