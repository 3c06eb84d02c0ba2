"""What the raw files say, by name. Asking for what was not measured is an error: the report has no empty cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sark_e2e.performance.raw import Raw

from .cell import Cell, measured, word


class NoSourceError(ValueError):
    """The report needs a figure for which there is no raw file, or says one that comes from none; the message says which."""


@dataclass(frozen=True)
class Measurement:
    """One raw file."""

    path: Path
    raw: Raw

    def cell(self, name: str) -> Cell:
        """Return one of its figures. Raises NoSourceError."""
        number = self.raw.numbers.get(name)
        if number is None:
            raise NoSourceError(f"{self.path.name} has no number {name!r}; it has {', '.join(sorted(self.raw.numbers))}")
        return measured(number.value, number.unit, [self.path])

    def cells(self, *names: str) -> list[Cell]:
        """Return several of its figures."""
        return [self.cell(name) for name in names]

    def word(self, text: str) -> Cell:
        """Return a word that was read from it."""
        return word(text, measured(0, "", [self.path]))


class Facts:
    """All raw files of one run."""

    def __init__(self, raws: Mapping[Path, Raw]) -> None:
        self._measurements = [Measurement(path, raw) for path, raw in raws.items()]
        if not self._measurements:
            raise NoSourceError("there is no raw file: nothing to report")

    def of(self, section: str, what: str, arm: str, tool: str = "") -> Measurement:
        """Return one measurement; without `tool` there must be one only. Raises NoSourceError."""
        found = [
            each
            for each in self._measurements
            if (each.raw.section, each.raw.what, each.raw.arm) == (section, what, arm) and tool in ("", each.raw.tool)
        ]
        if len(found) != 1:
            name = f"{section}/{what}.{arm}.{tool or '*'}.json"
            many = f"{len(found)} raw files" if found else "no raw file"
            raise NoSourceError(f"{many} for {name}; measure it: make report, or --only {section} --match {what}")
        return found[0]

    def all(self, section: str = "") -> list[Measurement]:
        """Return every measurement, or those of a section, in the order of their paths."""
        return [each for each in self._measurements if section in ("", each.raw.section)]
