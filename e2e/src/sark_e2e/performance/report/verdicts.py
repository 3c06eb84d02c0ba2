"""The report's targets, and whether they were met."""

from __future__ import annotations

from typing import Final

from .cell import Cell, given, status
from .facts import Facts

OPA_P95_MS: Final = given(5, "ms")
CACHE_P95_MS: Final = given(0.5, "ms")
THROUGHPUT: Final = given(2_000, "1/s")
ERROR_PERCENT: Final = given(1, "%")
CPU_PERCENT: Final = given(80, "%")
GROWTH_MB: Final = given(100, "MB")
GROWTH_RATE: Final = given(1, "MB/h")
HOURS: Final = given(24, "h")
OPA_CLIENT_MB: Final = given(50, "MB")
CACHE_MB: Final = given(30, "MB")
_TEMPLATE_KEEPS_UP: Final = 0.99
"""The rate is asked by the clock, so answers a second can only reach it, and a second's rounding falls below it."""


def below(cell: Cell, limit: Cell) -> Cell:
    """Return whether a figure is below its limit."""
    return status(met=cell.value < limit.value, of=[cell])


def at_rate(cell: Cell, limit: Cell) -> Cell:
    """Return whether a load that was asked at the limit's rate was answered at it."""
    return status(met=cell.value >= _TEMPLATE_KEEPS_UP * limit.value, of=[cell])


def stability(facts: Facts) -> tuple[Cell, bool]:
    """Return the mark of 24 hours without a leak, and whether 24 hours were measured: a shorter run meets no target."""
    measured = facts.of("memory", "stability", "rust")
    hours, upper = measured.cells("hours", "slope-upper")
    whole = hours.value >= HOURS.value
    return status(met=whole and upper.value < GROWTH_RATE.value, of=[hours, upper]), whole
