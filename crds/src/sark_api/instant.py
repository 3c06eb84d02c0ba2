"""Points in time on the wire: RFC 3339 in UTC, cut to whole seconds or to milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, PlainSerializer, WithJsonSchema


def format_instant(value: datetime) -> str:
    """Return `value` in UTC with whole seconds, as in 2026-01-01T00:00:00Z."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_precise_instant(value: datetime) -> str:
    """Return `value` in UTC with milliseconds, as in 2026-01-01T00:00:00.250Z."""
    at = value.astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time"})

Instant = Annotated[AwareDatetime, PlainSerializer(format_instant, return_type=str), _SCHEMA]
"""A time with whole seconds on the wire; conditions and the flag document use it."""

PreciseInstant = Annotated[AwareDatetime, PlainSerializer(format_precise_instant, return_type=str), _SCHEMA]
"""A time with milliseconds on the wire; durations are measured between such."""
