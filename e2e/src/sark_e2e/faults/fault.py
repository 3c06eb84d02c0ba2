"""What a fault is: how it is made, how it is mended, and what the sidecar must say and do meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .stand import Stand

Status = dict[str, Any]


def always(_: Status) -> bool:
    """Hold whatever the status says."""
    return True


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault."""

    name: str
    make: Callable[[Stand], object]
    mend: Callable[[Stand], object]
    clear: Callable[[Status], bool]
    """Whether `/v1/status` says what is wrong."""
    hurts_baseline: bool = True
    """Whether questions of the baseline arm may go unanswered."""
    hurts_new_arm: bool = False
    passes: bool = True
    """Whether the status tells when it is over."""
    holds: Callable[[Status], bool] = always
    """What the status must say as long as the fault lasts, once it has been noticed."""
    all_on_baseline: bool = False
    """Whether nobody may be in the new arm as long as it lasts."""
    missing: Callable[[], str] = str
    """Why it cannot be rehearsed on this machine; empty when it can."""
