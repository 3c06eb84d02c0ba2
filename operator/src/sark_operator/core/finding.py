"""A reason together with its sentence: the form in which the steps of a tick tell each other why something is not further."""

from __future__ import annotations

from dataclasses import dataclass

from sark_api.reasons import Reason


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason, its numbers filled in."""

    reason: Reason
    message: str


def found(reason: Reason, **values: object) -> Finding:
    """Return `reason` with its sentence filled in."""
    return Finding(reason, reason.sentence(**values))
