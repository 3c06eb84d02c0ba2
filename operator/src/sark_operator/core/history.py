"""The record of transitions: one entry per change, with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sark_api.reasons import FLAGS_REPAIRED, Reason
from sark_api.status import HISTORY_LIMIT, HistoryEntry


@dataclass(frozen=True, slots=True)
class Transition:
    """A change this tick decided on; the revision that carries it is known only at the end of the tick."""

    reason: Reason
    actor: str
    from_percent: int
    to_percent: int
    message: str

    @property
    def writes(self) -> bool:
        """Whether a flag document carries it: the share changes, or the document is repaired."""
        return self.from_percent != self.to_percent or self.reason is FLAGS_REPAIRED


def entries(
    transitions: Sequence[Transition],
    *,
    first: int,
    now: datetime,
    revision: int,
    policy_revision: str,
    operator_version: str,
) -> tuple[HistoryEntry, ...]:
    """Return the entries of this tick's transitions, numbered from `first`.

    `revision` is that of the flags written for them, 0 for none.
    """
    return tuple(
        HistoryEntry(
            number=number,
            time=now,
            actor=transition.actor,
            reason=transition.reason.name,
            from_percent=transition.from_percent,
            to_percent=transition.to_percent,
            revision=revision if transition.writes else 0,
            message=transition.message,
            policy_revision=policy_revision[:64],
            operator_version=operator_version[:64],
        )
        for number, transition in enumerate(transitions, start=first)
    )


def appended(history: Sequence[HistoryEntry], new: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """Return the history with `new` at its end and the oldest dropped beyond the limit."""
    return [*history, *new][-HISTORY_LIMIT:]
