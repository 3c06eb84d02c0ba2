"""How a finding speaks of what stands in the file."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection
from typing import Any, Final

_LONGEST: Final = 60
"""Enough to find it by."""


def near(name: str, known: Collection[str]) -> str:
    """Return the end of a sentence about an unknown field: the one that was meant, or those there are."""
    alike = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    if alike:
        return f": did you mean {alike[0]}?"
    return f": take it away; there are {', '.join(sorted(known))}" if known else ": take it away"


def shown(value: Any) -> str:
    """Return the value as JSON writes it, or its beginning."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
