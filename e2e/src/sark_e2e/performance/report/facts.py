"""What the raw files say, by name. Asking for what was not measured is an error: the report has no empty cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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

    @property
    def machine(self) -> str:
        """The machine it is of, in words."""
        machine = self.raw.environment
        return f"{machine.cpu}, {machine.cores} cores, {machine.memory_gib:g} GiB, {machine.os}"

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

    def by_machine(self) -> dict[str, list[Measurement]]:
        """Return the measurements by the machine they are of, the one that was used last first.

        Raises:
            NoSourceError: a section has measurements of two, so that a ratio of its figures would be one of machines.
        """
        found: dict[str, list[Measurement]] = {}
        homes: dict[str, str] = {}
        for each in sorted(self._measurements, key=lambda each: each.raw.started, reverse=True):
            machine, section = each.machine, each.raw.section
            if homes.setdefault(section, machine) != machine:
                raise NoSourceError(
                    f"{section} was measured on {homes[section]} and on {machine}; measure it whole: --only {section}"
                )
            found.setdefault(machine, []).append(each)
        return found


def sections(measurements: Iterable[Measurement]) -> str:
    """Return the names of the sections they belong to, as a list in a sentence."""
    return ", ".join(sorted({each.raw.section for each in measurements}))
