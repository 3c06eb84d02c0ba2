"""Which stretch of time the curves show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from sark_api.status import Phase, SarkRolloutStatus

POINTS: Final = 120
"""Points of a curve, at most one more."""
_LONGEST: Final = timedelta(days=42)
_LEAST: Final = timedelta(minutes=1)


class Span(StrEnum):
    """What the viewer chooses."""

    ATTEMPT = "attempt"
    STEP = "step"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time, cut into steps; both ends are whole multiples of the step."""

    start: datetime
    end: datetime
    step: int
    """Seconds between two points."""

    @property
    def length(self) -> timedelta:
        """From its start to its end."""
        return self.end - self.start


def chosen(text: str) -> Span:
    """Return the span named `text`, the whole attempt by default."""
    return next((span for span in Span if span.value == text), Span.ATTEMPT)


def stretch(span: Span, status: SarkRolloutStatus, window: timedelta, now: datetime) -> Stretch | None:
    """Return the stretch to show, or None before anything was begun.

    Where all is over, it ends one metric window after the end, and not ever farther away from what is worth looking at.
    """
    if status.started_at is None:
        return None
    end = min(now, _over(status, now) + max(window, _LEAST))
    start = status.started_at
    if span is Span.HOUR:
        start = max(start, end - timedelta(hours=1))
    elif span is Span.STEP and status.step is not None:
        start = max(start, status.step.started_at)
    start = max(min(start, end - _LEAST), end - _LONGEST)
    step = max(1, -(-int((end - start).total_seconds()) // POINTS))
    last = int(end.timestamp()) // step * step
    first = -(-int(start.timestamp()) // step) * step
    return Stretch(datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(max(last, first + step), UTC), step)


def _over(status: SarkRolloutStatus, now: datetime) -> datetime:
    if status.phase is Phase.REVERTED and status.revert is not None:
        return status.revert.completed_at or now
    if status.phase is Phase.COMPLETED and status.evaluated_at is not None:
        return status.evaluated_at
    return now
