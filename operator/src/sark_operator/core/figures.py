"""How numbers are written in sentences, so that the same number looks the same in every message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sark_api.duration import format_duration


def count(number: float, noun: str) -> str:
    """Return whole `number` with its noun, as in 1,204 requests; parts are cut off, since part of a request is not one.

    >>> count(1.0, "request")
    '1 request'
    """
    whole = int(number)
    return f"{whole:,} {noun}" if whole == 1 else f"{whole:,} {noun}s"


def apart(value: float, limit: float, unit: str) -> tuple[str, str]:
    """Return two numbers with the fewest decimals (one to four) at which different numbers look different.

    A breach must never read `1.0% > 1.0%`.

    >>> apart(1.004, 1, "%")
    ('1.004%', '1.000%')
    """
    texts = ("", "")
    for decimals in (1, 2, 3, 4):
        texts = (f"{value:,.{decimals}f}{unit}", f"{limit:,.{decimals}f}{unit}")
        if texts[0] != texts[1] or value == limit:
            break
    return texts


def percents(value: float, limit: float) -> tuple[str, str]:
    """Return two ratios as percentages that look different when they are.

    >>> percents(0.12, 0.01)
    ('12.0%', '1.0%')
    """
    return apart(value * 100, limit * 100, "%")


def mebibytes_per_hour(kibibytes: float, limit: float) -> tuple[str, str]:
    """Return two growths given in KiB/h in MiB/h; they look different when they are."""
    return apart(kibibytes / 1024, limit / 1024, " MiB/h")


def milliseconds(seconds: float) -> str:
    """Return `seconds` in milliseconds with three significant digits, as in 7.50 ms; below 1 ms to the microsecond."""
    value = seconds * 1000
    decimals = 3 - min(3, len(str(int(value)))) if value >= 1 else 3
    return f"{value:.{decimals}f} ms"


def span(value: timedelta) -> str:
    """Return a duration to the second, started seconds counted whole, so that `left` is 0s only when nothing is left."""
    whole = -(-value // timedelta(seconds=1))
    return format_duration(timedelta(seconds=whole))


def progress(done: timedelta, needed: timedelta) -> str:
    """Return done of needed in one unit that suits `needed`, as in 31h/48h or 9s/15s; started units do not count.

    >>> progress(timedelta(hours=31, minutes=59), timedelta(hours=48))
    '31h/48h'
    """
    unit, letter = _unit(needed)
    return f"{done // unit}{letter}/{needed // unit}{letter}"


def _unit(value: timedelta) -> tuple[timedelta, str]:
    for seconds, letter in ((3600, "h"), (60, "m")):
        unit = timedelta(seconds=seconds)
        if value >= 2 * unit and value % unit == timedelta(0):
            return unit, letter
    return timedelta(seconds=1), "s"


def sentences(parts: Sequence[str]) -> str:
    """Return several statements as one, separated by semicolons."""
    return "; ".join(parts)
