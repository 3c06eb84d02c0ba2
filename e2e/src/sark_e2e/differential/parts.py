"""A policy's source as a list of its rules, to drop some of them without touching the others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from .case import Case
from .tokens import tokens

_CONTINUES: Final = re.compile(r"}|else\b")


def parts(source: str) -> list[str]:
    """Split `source` before every line that begins something at the top level; joined, they are `source` again."""
    found: list[str] = []
    depth = 0
    raw = False  # Inside a raw string that goes on in the next line.
    for line in source.splitlines(keepends=True):
        starts = depth == 0 and not raw and line.strip() and not line[0].isspace() and not _CONTINUES.match(line)
        if starts or not found:
            found.append("")
        found[-1] += line
        raw ^= line.count("`") % 2 == 1
        for word in tokens(line):
            depth += (word.text in {"{", "[", "("}) - (word.text in {"}", "]", ")"})
    return found


def without_rows(case: Case, places: Iterable[tuple[int, int]]) -> Case | None:
    """Return `case` without the rules that stand at `places` (module, row from 1); None when nothing can be dropped."""
    wanted = set(places)
    modules = []
    for number, (name, source) in enumerate(case.modules):
        row = 1
        kept = []
        for part in parts(source):
            rows = range(row, row + part.count("\n") + 1)
            row += part.count("\n")
            if part.startswith(("package", "import")) or not any(place == number and at in rows[:-1] for place, at in wanted):
                kept.append(part)
        modules.append((name, "".join(kept)))
    changed = replace(case, modules=tuple(modules))
    return changed if changed != case else None
