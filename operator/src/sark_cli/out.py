"""Where a command writes: plain lines in a pipe, rich on a terminal, JSON or YAML for programs. One place decides which.

rich is imported only when a terminal is written to.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

STYLES: Mapping[str, str] = {
    "Pending": "dim",
    "Progressing": "cyan",
    "Paused": "yellow",
    "Reverting": "bold red",
    "Reverted": "red",
    "Completed": "bold green",
    "Pass": "green",
    "Breach": "bold red",
    "Unknown": "yellow",
    "Hold": "yellow",
    "error": "bold red",
    "warning": "yellow",
}
"""Style by the very word that is shown; a word that is not here is shown as it is, so that new phases need no change."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: what both forms of output are made from."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def lines(self) -> list[str]:
        """Return it as kubectl would print it: columns three blanks apart, nothing cut, no blanks at the end."""
        table = [self.headings, *self.rows]
        widths = [max(len(row[column]) for row in table) for column in range(len(self.headings))]
        return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


class Out:
    """Standard output."""

    def __init__(
        self, *, plain: bool, data_format: str = "", stream: TextIO | None = None, console: Console | None = None
    ) -> None:
        """Write to `stream` (standard output by default); `data_format` is json, yaml or empty; `console` is for tests."""
        self.plain = plain
        self.data_format = data_format
        self._stream = stream or sys.stdout
        self._console = console
        self._documents = 0

    @property
    def wants_data(self) -> bool:
        """Whether a program reads it."""
        return bool(self.data_format)

    @property
    def console(self) -> Console:
        """The terminal."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(file=self._stream)
        return self._console

    def data(self, value: Any) -> None:
        """Write `value` as a document of its own. A watch writes one after the other, and its reader waits for each."""
        if self.data_format == "json":
            import json

            self._stream.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
        else:
            import yaml

            following = self._documents > 0  # as kubectl has it: the first, which may be the only one, needs no mark
            self._stream.write(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=140, explicit_start=following))
        self._documents += 1
        self._stream.flush()

    def lines(self, *texts: str) -> None:
        """Write lines as they are; a terminal wraps them where it ends."""
        for text in texts:
            if self.plain:
                self._stream.write(text + "\n")
            else:
                self.console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)
        self._stream.flush()

    def show(self, renderable: RenderableType) -> None:
        """Write something rich draws. Only for terminals."""
        self.console.print(renderable)

    def grid(self, grid: Grid) -> None:
        """Write a table."""
        if self.plain:
            self.lines(*grid.lines())
        else:
            self.show(drawn(grid))


def drawn(grid: Grid) -> RenderableType:
    """Return the table as rich draws it: never wider than the terminal, long cells folded."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    for heading in grid.headings:
        table.add_column(heading, overflow="fold")
    for row in grid.rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    return table
