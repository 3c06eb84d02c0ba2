"""Why the rollout is not further, in one word and one sentence: what `status.reason` and `status.message` say."""

from __future__ import annotations

from datetime import timedelta

from sark_api import reasons
from sark_api.reasons import REASONS
from sark_api.spec import Mode
from sark_api.status import Phase

from .figures import span
from .finding import Finding, found
from .lifecycle import watch_left
from .sighting import laggard_clause
from .tick import Tick


def explain(tick: Tick, *, released: bool) -> Finding:
    """Return the one reason a reader needs: the phase's own, else what the tick found in the way."""
    if released:
        return found(reasons.RELEASING, what=f"onDelete is {tick.spec.rollback.on_delete} and that is met")
    match tick.status.phase:
        case Phase.REVERTING | Phase.REVERTED:
            return _way_back(tick)
        case Phase.COMPLETED:
            return _completed(tick)
        case Phase.PAUSED:
            return found(reasons.PAUSED_BY_USER, percent=tick.percent)
        case _:
            return tick.hold or _waiting(tick)


def _way_back(tick: Tick) -> Finding:
    """Return the revert's own reason, and how far the way back is."""
    last = tick.status.revert
    if last is None:
        return found(reasons.RESTORING_BASELINE, **_confirmation(tick), why="Reverted")
    reason = REASONS.get(last.reason, reasons.RESTORING_BASELINE)
    if tick.status.phase is Phase.REVERTED:
        return tick.hold or Finding(reason, last.message)
    return Finding(reason, found(reasons.RESTORING_BASELINE, **_confirmation(tick), why=last.message).message)


def _confirmation(tick: Tick) -> dict[str, object]:
    convergence = tick.sighting.convergence
    return {
        "confirmed": convergence.confirmed,
        "total": convergence.total,
        "laggards": laggard_clause(convergence),
    }


def _completed(tick: Tick) -> Finding:
    left = watch_left(tick.spec, tick.status, tick.now)
    if left <= timedelta(0):
        return found(reasons.WATCH_OVER, percent=tick.percent)
    return found(reasons.WATCHING, percent=tick.percent, left=span(left))


def _waiting(tick: Tick) -> Finding:
    """Return why a rollout that found nothing in its way does not move: the user, or the object's end."""
    if tick.spec.mode is Mode.ROLLBACK:
        return found(reasons.STAYS_AT_BASELINE)
    return found(reasons.STARTING, what="the rollout is being deleted")
