"""Who else writes the flags, and what that means: corrected or held, as the user wants it.

The API server notes for every key which field manager wrote it last. Another one than the operator on the keys of the
document is somebody who edited them, or a tool that means to own them.

Two things are beyond the policy, whichever it is. A share above the status' own is taken down by force, for it was proven to
nobody, and so is every revert. And a valid document of ours that asks for less is followed as a revert: see `safety`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sark_api import reasons
from sark_api.status import ConditionStatus

from .decision import WriteFlags
from .finding import Finding, found
from .observation import Missing
from .owners import held_by_others, other_owners
from .tick import OPERATOR, Tick

QUIET: Final = timedelta(minutes=5)
"""Corrections of the same writers are recorded once in this time: a tool that insists must not fill the history."""


def ownership(tick: Tick) -> tuple[ConditionStatus, Finding]:
    """Return what the condition FlagsOwned says."""
    if isinstance(tick.observation.flags, Missing):
        return ConditionStatus.UNKNOWN, Finding(reasons.FLAGS_UNAVAILABLE, tick.observation.flags.message)
    owners = other_owners(tick.observation)
    if not owners:
        return ConditionStatus.TRUE, found(reasons.FLAGS_OURS)
    held = held_by_others(tick.spec, tick.observation)
    return ConditionStatus.FALSE, held or found(reasons.FLAGS_SHARED, owners=", ".join(owners))


def record_edits(tick: Tick, write: WriteFlags | None) -> None:
    """Note who wrote the flags: once when it is found, and when it is corrected."""
    owners = other_owners(tick.observation)
    if not owners:
        return
    if write is not None and not any(each.reason is reasons.FLAGS_REPAIRED for each in tick.transitions):
        _record(tick, found(reasons.FLAGS_CORRECTED, owners=", ".join(owners), percent=tick.percent))
    elif write is None and (held := held_by_others(tick.spec, tick.observation)):
        _record(tick, held)


def _record(tick: Tick, finding: Finding) -> None:
    """Record what was not recorded in the last minutes, or since something else happened to the share."""
    moved = any(each.from_percent != each.to_percent for each in tick.transitions)
    for entry in () if moved else reversed(tick.status.history):
        if tick.now - entry.time > QUIET or entry.from_percent != entry.to_percent:
            break
        if (entry.reason, entry.message) == (finding.reason.name, finding.message):
            return
    tick.record(finding.reason, OPERATOR, tick.percent, finding.message)
