"""When steps may begin: windows of the week in local time. A window limits advances only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sark_api.spec import Day, Window

_WEEK = tuple(Day)
_DAYS_AHEAD = 9
"""A window opens at least once a week; one day more for time zones, and one for a day that summer time shortens."""


class UnknownZoneError(ValueError):
    """A window names a time zone that is not known here; the message is the name."""


def is_open(windows: Sequence[Window], now: datetime) -> bool:
    """Return whether a step may begin at `now`: in any of the windows, or at any time when there are none.

    Raises:
        UnknownZoneError: a window's time zone is not known.
    """
    return not windows or any(start <= now < end for window in windows for start, end in _openings(window, now, -2, 2))


def opens_at(windows: Sequence[Window], now: datetime) -> datetime | None:
    """Return when the next window opens after `now`, in UTC; None when there are no windows.

    Raises:
        UnknownZoneError: a window's time zone is not known.
    """
    starts = (start for window in windows for start, _ in _openings(window, now, -1, _DAYS_AHEAD) if start > now)
    return min(starts, default=None)


def _openings(window: Window, now: datetime, first: int, last: int) -> Iterator[tuple[datetime, datetime]]:
    """Yield the window's times in UTC, for openings `first` to `last` days from today."""
    zone = _zone(window.time_zone)
    today = now.astimezone(zone).date()
    start, end = time.fromisoformat(window.start), time.fromisoformat(window.end)
    for offset in range(first, last + 1):
        day = today + timedelta(days=offset)
        if _WEEK[day.weekday()] in window.days:
            until = day if end > start else day + timedelta(days=1)
            yield _instant(day, start, zone), _instant(until, end, zone)


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the instant in UTC: two aware times of one zone would be compared by their clocks, not by what they mean."""
    return datetime.combine(day, at, zone).astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise UnknownZoneError(name) from error
