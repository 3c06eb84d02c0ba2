"""Why what a status says may not be so: an operator that is not there, or has not seen the last edit."""

from __future__ import annotations

from datetime import datetime, timedelta

from sark_api.duration import format_duration
from sark_api.spec import SarkRolloutSpec
from sark_api.status import SarkRolloutStatus

from .lifecycle import is_terminal


def doubts(spec: SarkRolloutSpec, status: SarkRolloutStatus, generation: int, now: datetime) -> list[str]:
    """Return each doubt as a sentence without its full stop; `generation` is that of the object now."""
    if not status.conditions:
        return ["no operator has looked at it yet: is one running for this namespace?"]
    found = []
    if status.observed_generation < generation:
        found.append(f"the operator has not answered to the last edit yet (generation {generation})")
    silent = silent_for(spec, status, now)
    if silent is not None:
        wanted = f"spec.interval is {format_duration(spec.interval)}"
        found.append(f"last evaluated {format_duration(silent)} ago, {wanted}: is the operator running?")
    return found


def silent_for(spec: SarkRolloutSpec, status: SarkRolloutStatus, now: datetime) -> timedelta | None:
    """Return for how long one that is to be watched has not been evaluated; None when that is no longer than it may be."""
    watched = status.step is not None and not is_terminal(spec, status, now)
    late = now - status.evaluated_at if status.evaluated_at else timedelta(0)
    longest = max(8 * spec.interval, timedelta(minutes=2))  # one without news waits up to four intervals
    return late if watched and late > longest else None
