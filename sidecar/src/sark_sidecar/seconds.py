"""Durations in the configuration: `10s`, `250ms`, `5m`, `1h30m`; in code always a number of seconds."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h)")
_ADVICE = "write a number with its unit, as in 250ms, 10s, 5m or 1h30m"


def parse_seconds(text: str) -> float:
    """Return the seconds that `text` names.

    Raises:
        ValueError: `text` is not a duration; the message says what to write instead.
    """
    parts = _PART.findall(text)
    if not parts or "".join(amount + unit for amount, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration; {_ADVICE}")
    return float(sum(float(amount) * _UNITS[unit] for amount, unit in parts))


def format_seconds(value: float) -> str:
    """Return `value` seconds as the configuration spells them.

    >>> format_seconds(0.25), format_seconds(300.0)
    ('250ms', '300s')
    """
    return f"{value:g}s" if value >= 1 else f"{value * 1000:g}ms"


def _coerce(value: object) -> float:
    if isinstance(value, str):
        return parse_seconds(value)
    raise ValueError(f"{value!r} has no unit; {_ADVICE}")


Seconds = Annotated[float, BeforeValidator(_coerce), PlainSerializer(format_seconds, return_type=str)]
"""A duration field: text in YAML and environment, seconds in Python."""
