"""What one tick decided: the next status, and the writes in the order they must happen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sark_api import reasons
from sark_api.flags import FlagDocument
from sark_api.status import HistoryEntry, SarkRolloutStatus


@dataclass(frozen=True, slots=True)
class WriteFlags:
    """Write the flag document by server-side apply."""

    document: FlagDocument
    resource_version: str
    """Precondition: the version the decision was made on; empty creates the ConfigMap (only a revert does that)."""
    force: bool
    """Take over fields another manager owns. True when the share goes down (safety wins over ownership), when the document in
    force cannot be read (nobody can be meant to own it), and where edits of others are to be corrected. One that does not raise
    the share comes before the status."""


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Write the status with the resourceVersion it was computed from."""


@dataclass(frozen=True, slots=True)
class ReleaseFinalizer:
    """The baseline is restored (or shall be kept): let the object go."""


Action = WriteFlags | WriteStatus | ReleaseFinalizer


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of one tick.

    Going down writes flags first and status second; going up writes status first, so that a crash in between can only leave the
    fleet at the lower share.
    """

    status: SarkRolloutStatus
    actions: tuple[Action, ...]
    records: tuple[HistoryEntry, ...]
    """Transitions of this tick, already in status.history; each becomes one event, one log line and one metric."""
    wake_at: datetime
    """When to look again at the latest."""


def goes_back_for_a_breach(decision: Decision) -> bool:
    """Return whether this tick takes the share back because a criterion is in breach, and for no want of sight."""
    return any(record.reason == reasons.CRITERION_BREACHED.name and record.to_percent == 0 for record in decision.records)
