"""Points in time on the wire: RFC 3339 in UTC, cut to whole seconds or to milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, PlainSerializer, WithJsonSchema


def format_instant(value: datetime) -> str:
    """Return `value` in UTC with whole seconds, as in 2026-01-01T00:00:00Z."""
    return f"{_without_offset(value).isoformat(timespec='seconds')}Z"


def format_precise_instant(value: datetime) -> str:
    """Return `value` in UTC with milliseconds, as in 2026-01-01T00:00:00.250Z."""
    return f"{_without_offset(value).isoformat(timespec='milliseconds')}Z"


def _without_offset(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(tzinfo=None)


def _writable(value: datetime) -> datetime:
    """Refuse what has a year of its own and none in UTC: it could be read and never be written."""
    try:
        value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("it lies outside the years 1 to 9999 in UTC") from error
    return value


_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time"})

Instant = Annotated[AwareDatetime, AfterValidator(_writable), PlainSerializer(format_instant, return_type=str), _SCHEMA]
"""A time with whole seconds on the wire; conditions and the flag document use it."""

PreciseInstant = Annotated[
    AwareDatetime, AfterValidator(_writable), PlainSerializer(format_precise_instant, return_type=str), _SCHEMA
]
"""A time with milliseconds on the wire; durations are measured between such."""
