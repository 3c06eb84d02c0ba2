"""Points in time and ages as the command writes them: UTC, and said to be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def moment(at: datetime) -> str:
    """Return the time in UTC to the second, as in 2026-01-01 12:00:03Z."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def clock(at: datetime) -> str:
    """Return the time of day in UTC, to the tenth of a second."""
    return f"{at:%H:%M:%S}.{at.microsecond // 100_000}"


def age(value: timedelta) -> str:
    """Return a length of time in at most two units, as in 9d4h, 31h, 5m20s or 0s.

    >>> age(timedelta(hours=31, minutes=2))
    '1d7h'
    """
    total = max(0, int(value.total_seconds()))
    for position, (size, letter) in enumerate(_UNITS):
        if total >= size:
            text = f"{total // size}{letter}"
            if position + 1 < len(_UNITS) and total // size < 10:  # noqa: PLR2004 - two digits are exact enough
                smaller, small_letter = _UNITS[position + 1]
                rest = total % size // smaller
                text += f"{rest}{small_letter}" if rest else ""
            return text
    return "0s"
