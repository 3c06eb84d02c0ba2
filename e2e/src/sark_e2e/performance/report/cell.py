"""A figure on its way into the report: its value, its unit, and the raw files it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, isfinite, log10
from pathlib import Path
from typing import Final

MET: Final = "✅"
MISSED: Final = "❌"
_LEAST_MS: Final = 0.1
_LEAST_US: Final = 0.001
"""In ms: below a tenth of a millisecond times are in microseconds, below a microsecond in nanoseconds."""
_ATTACHED: Final = frozenset({"%", "x"})


@dataclass(frozen=True)
class Cell:
    """One figure, or a word that follows from figures. Without sources it is given: a limit of the report's template."""

    text: str
    sources: frozenset[Path]
    value: float = float("nan")
    unit: str = ""

    def __str__(self) -> str:
        return self.text


def measured(value: float, unit: str, sources: Iterable[Path]) -> Cell:
    """Return a figure that was measured, or calculated from measured ones."""
    return Cell(shown(value, unit), frozenset(sources), value, unit)


def given(value: float, unit: str = "") -> Cell:
    """Return a limit or a plan that nobody measured: the template's own."""
    return Cell(shown(value, unit), frozenset(), value, unit)


def word(text: str, *cells: Cell) -> Cell:
    """Return a word that follows from figures, or was read from a raw file."""
    return Cell(text, sources(*cells))


def sources(*cells: Cell) -> frozenset[Path]:
    """Return where all of them come from."""
    return frozenset(path for cell in cells for path in cell.sources)


def times(slower: Cell, faster: Cell) -> Cell:
    """Return how many times the first is of the second."""
    return measured(slower.value / faster.value if faster.value else float("inf"), "x", sources(slower, faster))


def change(before: Cell, after: Cell) -> Cell:
    """Return by how many percent the second is more than the first; negative when it is less."""
    percent = 100 * (after.value - before.value) / before.value if before.value else 0.0
    text = f"{'+' if percent >= 0 else '-'}{shown(abs(percent), '%')}"
    return Cell(text, sources(before, after), percent, "%")


def status(*, met: bool, of: Iterable[Cell]) -> Cell:
    """Return the mark of a target."""
    return word(MET if met else MISSED, *of)


def shown(value: float, unit: str) -> str:
    """Return a figure for people: three digits, thousands with commas, and its unit; milliseconds as what they are best read in."""
    if unit == "ms" and 0 < abs(value) < _LEAST_MS:
        value, unit = (value * 1e6, "ns") if abs(value) < _LEAST_US else (value * 1e3, "\N{MICRO SIGN}s")
    number = _number(value)
    if unit in _ATTACHED:
        return f"{number}{unit}"
    if unit == "1/s":
        return f"{number}/s"
    return f"{number} {unit}" if unit else number


def _number(value: float) -> str:
    if value == 0:
        return "0"
    if not isfinite(value):
        return "n/a"
    size = floor(log10(abs(value)))
    if size >= 2:
        return f"{value:,.0f}"
    text = f"{value:.{2 - size}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
