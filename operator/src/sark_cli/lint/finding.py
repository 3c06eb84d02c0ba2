"""What lint has to say about one place of a file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Path = tuple[str | int, ...]
"""Members and positions from the document's root, as in ("spec", "steps", 0, "bake")."""


class Level(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """The API server would refuse it."""
    WARNING = "warning"
    """It would be accepted, and would not do what was meant."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one place."""

    level: Level
    path: Path
    message: str
    """What is wrong, and what to write instead."""


def spelled(path: Path) -> str:
    """Return the path as kubectl spells it.

    >>> spelled(("spec", "steps", 0, "bake"))
    'spec.steps[0].bake'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or "the document"
