"""Telling people what happened: each transition becomes one event, one log line and one count, all from one entry."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import structlog

from sark_api.reasons import REASONS, EventType
from sark_api.status import HistoryEntry
from sark_operator.shell.api import Cluster, ClusterError, EventNote, RolloutObject
from sark_operator.shell.clock import Clock
from sark_operator.shell.telemetry import Telemetry

REPEAT_SECONDS = 600.0
"""A warning that still holds is posted again after this long; events are kept for about an hour."""
_MAX_WARNINGS = 4096

_log = structlog.get_logger("sark.transition")


class Recorder:
    """The one place where something is told. Telling never fails: an event that cannot be posted is logged and counted."""

    def __init__(self, cluster: Cluster, clock: Clock, telemetry: Telemetry) -> None:
        self._cluster = cluster
        self._clock = clock
        self._telemetry = telemetry
        self._warned: dict[tuple[str, str], tuple[str, float]] = {}

    async def record(self, rollout: RolloutObject, entries: Sequence[HistoryEntry]) -> None:
        """Tell of transitions that are stored in the status of `rollout`, the oldest first."""
        for entry in entries:
            self._telemetry.transition(rollout.key, entry.reason)
            _log.info(
                entry.message,
                rollout=rollout.key,
                reason=entry.reason,
                actor=entry.actor,
                from_percent=entry.from_percent,
                to_percent=entry.to_percent,
                revision=entry.revision,
                policy_revision=entry.policy_revision,
            )
        await asyncio.gather(*(self._post(rollout, _note(entry), entry.time) for entry in entries))

    async def warn(self, rollout: RolloutObject, reason: str, message: str) -> None:
        """Tell of something that is in the way and is no transition; the same is not repeated for ten minutes."""
        key, now = (rollout.uid, reason), self._clock.monotonic()
        said, at = self._warned.get(key, ("", -REPEAT_SECONDS))
        if said == message and now - at < REPEAT_SECONDS:
            return
        if len(self._warned) >= _MAX_WARNINGS:
            self._warned.clear()
        self._warned[key] = (message, now)
        _log.warning(message, rollout=rollout.key, reason=reason)
        note = EventNote(reason=reason, action="WriteFlags", note=message, warning=True)
        await self._post(rollout, note, self._clock.now())

    async def _post(self, rollout: RolloutObject, note: EventNote, at: datetime) -> None:
        try:
            await self._cluster.create_event(rollout, note, at)
        except ClusterError as error:
            self._telemetry.event("failed")
            _log.warning("event not posted", rollout=rollout.key, reason=note.reason, problem=str(error))
        else:
            self._telemetry.event("posted")


def _note(entry: HistoryEntry) -> EventNote:
    """Return the event for a transition; a reason this version does not know is told as a warning."""
    known = REASONS.get(entry.reason)
    warning = known is None or known.event is EventType.WARNING
    return EventNote(reason=entry.reason, action=_action(entry), note=entry.message, warning=warning)


def _action(entry: HistoryEntry) -> str:
    if entry.to_percent > entry.from_percent:
        return "RaiseShare"
    return "LowerShare" if entry.to_percent < entry.from_percent else "Note"
