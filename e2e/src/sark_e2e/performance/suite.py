"""What every measurement of a run shares: its name, its scale, the programs, and the way to a raw file."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sark_e2e.progress import Report

from .machine import Observer
from .raw import Scale, Section, make, write

Numbers = dict[str, tuple[float, str]]
"""Value and unit by name."""
AllSeries = dict[str, tuple[str, list[float], list[float]]]
"""Unit, seconds since the beginning, and values, by name."""


@dataclass(frozen=True)
class Suite:
    """One run."""

    run: str
    """Name of the folder below reports/."""
    scale: float
    """1 measures as long as the report plans; 1/60 makes a second of each minute."""
    client: Path
    """`sark-bench`."""
    report: Report


@dataclass
class Recording:
    """One measurement on its way into a raw file: made before it begins."""

    suite: Suite
    section: Section
    what: str
    arm: str
    tool: str
    planned_seconds: float
    _observer: Observer = field(init=False)
    _began: float = field(init=False)
    _started: str = field(init=False)

    def __post_init__(self) -> None:
        self._observer = Observer()
        self._began = time.monotonic()
        self._started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.suite.report(f"{self.section}: {self.what}, {self.arm}, {self.tool}")

    def keep(
        self,
        numbers: Mapping[str, tuple[float, str]],
        series: Mapping[str, tuple[str, list[float], list[float]]] | None = None,
        *,
        notes: Iterable[str] = (),
    ) -> Path:
        """Write the raw file and return its path."""
        seconds = time.monotonic() - self._began
        scale = Scale(seconds=round(seconds, 2), planned_seconds=self.planned_seconds)
        raw = make(
            self.section,
            self.what,
            self.arm,
            self.tool,
            started=self._started,
            scale=scale,
            command=self._command(),
            environment=self._observer.environment(),
            numbers=numbers,
            series=series,
            notes=notes,
        )
        return write(raw, self.suite.run)

    def _command(self) -> str:
        which = f" --match {self.what}" if self.section == "load" else ""
        options = f"--only {self.section}{which} --scale {self.suite.scale:.4g}"
        return f".venv/bin/python -m sark_e2e.performance {options}"
