"""The Markdown on its way: it takes figures only as cells, and names the raw files below each table.

A digit that stands in a sentence or a table by itself is an error, because nobody could say where it comes from. Allowed are
names of percentiles, numbers that belong to a name (v1.4.0, 10 threads in the first column), and what is given by the template.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from .cell import Cell
from .facts import NoSourceError

_NAMES: Final = re.compile(r"p50|p95|p99|v1\.4\.0|[A-Za-z]+[0-9]+\b|`[^`]*`|\]\([^)]*\)")
_DIGIT: Final = re.compile(r"\d")
_PLACEHOLDER: Final = re.compile(
    r"\[X[^\]]*\]|✅/❌|\{\{|\bTODO\b|\bTBD\b|n/a|\bnan\b|\[(?:Analysis|Recommendation|Component|Start|End|Success|Improvement)[^\]]*\](?!\()"
)
_SHOWN_SOURCES: Final = 12
_LISTED: Final = "b-raw-data-files"
"""Where the appendix lists every raw file."""


class Document:
    """Text that grows from top to bottom."""

    def __init__(self, root: Path, page: Path) -> None:
        """`root` is the repository, `page` the file the text will be in: links are relative to it."""
        self._root = root
        self._up = "../" * (len(page.relative_to(root).parts) - 1)
        self._lines: list[str] = []
        self.used: set[Path] = set()

    def verbatim(self, text: str) -> None:
        """Add a part of the template that is no result: headings, plans, configuration."""
        self._lines.append(text.strip("\n"))

    def say(self, template: str, **cells: Cell) -> None:
        """Add a paragraph; figures come in as cells by name."""
        self._lines.append(self._filled(template, cells))

    def points(self, *sentences: tuple[str, dict[str, Cell]]) -> None:
        """Add a list."""
        self._lines.append("\n".join(f"- {self._filled(template, cells)}" for template, cells in sentences))

    def analysis(self, *sentences: tuple[str, dict[str, Cell]]) -> None:
        """Add a list below the word Analysis."""
        self._lines.append("**Analysis**:")
        self.points(*sentences)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Cell | str]]) -> None:
        """Add a table, whose first column is a label; name its raw files below it."""
        lines = [
            f"| {' | '.join(columns)} |",
            "|" + "|".join(" --- " if place == 0 else " ---: " for place, _ in enumerate(columns)) + "|",
        ]
        files: set[Path] = set()
        for row in rows:
            if len(row) != len(columns):
                raise NoSourceError(f"the row {row[0]} has {len(row)} cells; the table has {len(columns)} columns")
            for cell in row[1:]:
                if isinstance(cell, Cell):
                    files |= cell.sources
                else:
                    _refuse_digits(cell)
            lines.append(f"| {' | '.join(str(cell) for cell in row)} |")
        self._lines.append("\n".join(lines))
        self.used |= files
        if files:
            self._lines.append(self._named(files))

    def text(self) -> str:
        """Return the whole. Raises NoSourceError when a placeholder of the template is left."""
        text = "\n\n".join(self._lines) + "\n"
        if found := _PLACEHOLDER.search(text):
            line = text[: found.start()].count("\n") + 1
            raise NoSourceError(f"line {line} of the report still has the placeholder {found[0]!r}")
        return text

    def link(self, path: Path) -> str:
        """Return a link to a raw file."""
        return f"[`{path.name}`]({self._up}{path.relative_to(self._root)})"

    def _filled(self, template: str, cells: dict[str, Cell]) -> str:
        _refuse_digits(re.sub(r"\{[a-z0-9_]+\}", "", template))
        for cell in cells.values():
            self.used |= cell.sources
        try:
            return template.format(**cells)
        except KeyError as error:
            raise NoSourceError(f"the sentence {template!r} has no figure {error}") from error

    def _named(self, files: set[Path]) -> str:
        if len(files) > _SHOWN_SOURCES:
            return f"<sub>Raw: {len(files)} files, listed in [appendix B](#{_LISTED})</sub>"
        return f"<sub>Raw: {', '.join(self.link(path) for path in sorted(files))}</sub>"


def _refuse_digits(text: str) -> None:
    if _DIGIT.search(_NAMES.sub("", text)):
        raise NoSourceError(f"a number without a source: {text!r}; put it in as a cell")
