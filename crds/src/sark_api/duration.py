"""Durations as people write them in Kubernetes objects: `15s`, `5m`, `48h`, `1h30m`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

DURATION_PATTERN = r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$"
_PARTS = re.compile(r"^(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,8})s)?$")


def parse_duration(text: str) -> timedelta:
    """Return the duration `text` names.

    Units are hours, minutes and seconds, in that order, whole numbers only.

    Raises:
        ValueError: `text` is not such a duration; the message says what to write instead.
    """
    match = _PARTS.match(text)
    if match is None or not text:
        raise ValueError(f"{text!r} is not a duration; write whole hours, minutes and seconds, as in 48h, 5m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def format_duration(value: timedelta) -> str:
    """Return the shortest exact spelling in hours, minutes and seconds; parts of a second are cut off.

    >>> format_duration(timedelta(hours=48))
    '48h'
    """
    total = int(value.total_seconds())
    if total <= 0:
        return "0s"
    hours, rest = divmod(total, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{amount}{unit}" for amount, unit in parts if amount)


def _coerce(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


Duration = Annotated[
    timedelta,
    BeforeValidator(_coerce),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "minLength": 2, "maxLength": 24}),
]
"""A duration field: `timedelta` in Python, a string such as `48h` on the wire."""
