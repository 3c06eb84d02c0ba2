"""The figures in the documentation: printed by a run, and put there by it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sark_e2e.bench.failure import BenchError
from sark_e2e.program import ROOT

PAGE: Final = ROOT / "docs" / "engine.md"
BEGIN: Final = "<!-- printed by `python -m sark_e2e.bench.engine --document` -->\n"
END: Final = "<!-- end of what was printed -->\n"


def put(printed: str, page: Path = PAGE) -> None:
    """Replace what stands between the marks in `page` by `printed`. Raises BenchError when the marks are not there."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchError(f"{page.name} has no place for the figures: restore the line {BEGIN.strip()} and the one after it")
    page.write_text(f"{before}{begin}```\n{_without_trailing_spaces(printed)}\n```\n{end}{after}", encoding="utf-8")


def _without_trailing_spaces(printed: str) -> str:
    return "\n".join(line.rstrip() for line in printed.strip("\n").splitlines())
