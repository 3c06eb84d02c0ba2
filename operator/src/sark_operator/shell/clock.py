"""The one clock. Everything that needs the time is given this, so that tests can hand in another."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Return the time of day, in UTC: what is written into objects and compared with what others wrote."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back: what waits, ages and deadlines inside this process are measured with."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the time of day, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()
