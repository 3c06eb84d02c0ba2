"""The questions asked: one that is always the same, and many of which no two are the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from sark_e2e.traffic.mix import Mix

MARK: Final = "################"
"""In a body the load generator replaces it by a number that no other request has."""

_DISTINCT: Final = 500
_SEED: Final = 1


def same_question() -> str:
    """Return a body file with one question."""
    return _line(Mix(seed=_SEED).question())


def distinct_questions() -> str:
    """Return a body file with the load's usual mix, in which each request carries a parameter of its own."""
    mix = Mix(seed=_SEED)
    lines = []
    for _ in range(_DISTINCT):
        question = mix.question()
        question["input"]["parameters"]["query"] = MARK
        lines.append(_line(question))
    return "".join(lines)


def write(folder: Path) -> tuple[Path, Path]:
    """Write both body files below `folder` and return their paths: the same question, distinct questions."""
    same, distinct = folder / "same.jsonl", folder / "distinct.jsonl"
    same.write_text(same_question(), encoding="utf-8")
    distinct.write_text(distinct_questions(), encoding="utf-8")
    return same, distinct


def _line(question: dict[str, object]) -> str:
    return json.dumps(question, separators=(",", ":")) + "\n"
