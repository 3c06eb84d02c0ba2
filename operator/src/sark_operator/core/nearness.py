"""How near a criterion is to its limit and to a breach, as numbers for screens. No decision rests on these."""

from __future__ import annotations

import re
from typing import Final

from sark_api.status import CriterionStatus

_FIGURE: Final = re.compile(r"^(?:p95 )?(?:above )?(-?[\d,]+(?:\.\d+)?) ?(.*)$")
_LEAST: Final = frozenset({"throughput"})
"""Criteria whose limit is the least there may be, not the most."""


def share_of_limit(criterion: CriterionStatus) -> float | None:
    """Return how much of its limit the value is, 1.0 at the limit; None where the two cannot be compared."""
    value, limit = (_FIGURE.match(text) for text in (criterion.value, criterion.limit))
    if value is None or limit is None or value[2] != limit[2]:
        return None
    seen, most = (float(match[1].replace(",", "")) for match in (value, limit))
    if criterion.name in _LEAST:
        seen, most = most, seen
    return seen / most if most > 0 and seen >= 0 else None


def odds(criterion: CriterionStatus) -> tuple[int, int] | None:
    """Return the evidence of a breach and how much is needed, each as so many to 1; None for a criterion that counts none."""
    seen, needed = odds_in(criterion.evidence), odds_in(criterion.evidence_needed)
    return (seen, needed) if seen is not None and needed is not None else None


def odds_in(text: str) -> int | None:
    """Return the number in a text as 1,204 to 1; None where there is none."""
    digits = text.partition(" ")[0].replace(",", "")
    return int(digits) if digits.isascii() and digits.isdigit() else None
