"""What every row is measured with: programs, files, and how hard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sark_e2e.bench.contestants import Programs
from sark_e2e.progress import Report

from .corpus import Files
from .finding import Finding


@dataclass(frozen=True)
class Effort:
    """How long and how hard is measured."""

    rounds: int
    seconds: float
    """Of each measurement."""
    definitions: int
    """Of the large policy."""
    entries: int
    """Of the cache."""
    awake_seconds: float | None = None
    """How long before a question of the open loop is due its client wakes; None: it never sleeps."""


@dataclass(frozen=True)
class Setting:
    """Everything a row needs."""

    programs: Programs
    folder: Path
    """Of this run: logs, generated policies, questions."""
    simple: Files
    complex: Files
    effort: Effort
    report: Report


@dataclass(frozen=True)
class Measured:
    """What one part of the benchmark found."""

    findings: list[Finding]
    details: Any
    """Every single measurement, as the results file keeps it."""
