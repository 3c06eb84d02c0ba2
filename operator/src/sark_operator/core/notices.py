"""Which transitions people have not been told of yet, and how far they have been told.

The mark of how far stands in the status, so that it outlives a restart and goes over to the next leader. It is moved when a
notice was delivered or given up, and stored with the next status; a process that dies in between leads to a second delivery, by
which every notice carries a key that is the same both times. While some addresses are behind others, it says how far each is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sark_api.reasons import REASONS, EventType
from sark_api.status import HistoryEntry, Notified

from .instants import to_milliseconds


@dataclass(frozen=True, slots=True)
class Notice:
    """One transition to be told."""

    entry: HistoryEntry
    mark: Notified
    """How far people have been told once this is delivered."""

    @property
    def warning(self) -> bool:
        """Whether somebody had better look."""
        known = REASONS.get(self.entry.reason)
        return known is None or known.event is EventType.WARNING

    def key(self, uid: str) -> str:
        """Return what is the same whenever, and by whomever, this transition of the rollout `uid` is told."""
        place = f"{uid} {self.mark.until.isoformat()} {self.mark.count} {self.entry.reason}"
        return hashlib.sha256(place.encode()).hexdigest()[:16]


def mark_of(notified: Notified, name: str) -> Notified:
    """Return how far the address `name` has come; one that is not known is told nothing that another one was told before."""
    if not notified.addresses:
        return Notified(until=notified.until, count=notified.count)
    found = next((each for each in notified.addresses if each.name == name), notified.addresses[0])
    return Notified(until=found.until, count=found.count)


def from_now_on(history: Sequence[HistoryEntry], now: datetime) -> Notified:
    """Return the mark before which nothing is told: all that has happened when notices are turned on."""
    if not history:
        return Notified(until=to_milliseconds(now), count=0)
    last = history[-1].time
    return Notified(until=last, count=sum(entry.time == last for entry in history))


def untold(history: Sequence[HistoryEntry], mark: Notified) -> list[Notice]:
    """Return what has happened since the mark, oldest first.

    A tick can record several transitions at one time; the mark counts those of its own. What stands after the transition it
    names is untold, whatever the clock said meanwhile; where that one is no longer in the history, what is later than the mark.
    """
    notices: list[Notice] = []
    for entry in history:
        same = bool(notices) and notices[-1].entry.time == entry.time
        count = notices[-1].mark.count + 1 if same else 1
        notices.append(Notice(entry, Notified(until=entry.time, count=count)))
    told = [index for index, notice in enumerate(notices) if notice.mark == mark]
    if told:
        return notices[told[-1] + 1 :]
    return [notice for notice in notices if (notice.mark.until, notice.mark.count) > (mark.until, mark.count)]
