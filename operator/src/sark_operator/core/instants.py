"""Time as the core sees it: cut to what the status can store, and never in the future.

A clock that is set back would leave instants in the status that lie ahead, and every duration measured from them would stand
still until the clock has caught up. Each such instant is pulled back to now: what was measured from it starts again, which can
only delay an advance.

The end of the last counting window is none of them. Windows are dated by Prometheus, and an operator whose clock is behind that
of the one before it would count them again. It stays where it is for as long as windows may fail to come; one that lies further
ahead is pulled back too, lest a clock that was wrong by a day cost the evidence of a day.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sark_api.status import SarkRolloutStatus


def to_milliseconds(at: datetime) -> datetime:
    """Return `at` cut to whole milliseconds, the precision of the status."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def to_seconds(at: datetime) -> datetime:
    """Return `at` cut to whole seconds, the precision of conditions and of the flag document."""
    return at.replace(microsecond=0)


def without_future(status: SarkRolloutStatus, now: datetime, longest_quiet: timedelta) -> SarkRolloutStatus:
    """Return the status with every instant that durations are measured from pulled back to `now` where it lies ahead.

    `longest_quiet` is how long counting windows may fail to come.
    """

    def past(at: datetime | None) -> datetime | None:
        return at if at is None else min(at, now)

    counted = status.counted_until
    return status.model_copy(
        update={
            "started_at": past(status.started_at),
            "completed_at": past(status.completed_at),
            "counted_until": now if counted is not None and counted - now > longest_quiet else counted,
            "blind_since": past(status.blind_since),
            "step": status.step and status.step.model_copy(update={"started_at": past(status.step.started_at)}),
            "flags": status.flags and status.flags.model_copy(update={"written_at": past(status.flags.written_at)}),
            "convergence": status.convergence
            and status.convergence.model_copy(update={"since": past(status.convergence.since)}),
            "bake": status.bake and status.bake.model_copy(update={"counted_at": past(status.bake.counted_at)}),
            "approvals": [each.model_copy(update={"given_at": past(each.given_at)}) for each in status.approvals],
            "awaited": status.awaited and status.awaited.model_copy(update={"since": past(status.awaited.since)}),
            "revert": status.revert
            and status.revert.model_copy(
                update={"decided_at": past(status.revert.decided_at), "completed_at": past(status.revert.completed_at)}
            ),
        }
    )
