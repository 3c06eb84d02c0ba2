"""The one recorder: every transition becomes a log line, a count and a Kubernetes event, in this order and once each.

The history in the status is the record that lasts; events are gone after an hour. Nothing that goes wrong here may therefore
stop a rollout.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog

from sark_api.reasons import REASONS, EventType
from sark_api.status import HistoryEntry
from sark_operator.shell.api import Cluster, ClusterError, EventNote, RolloutObject
from sark_operator.shell.clock import Clock
from sark_operator.shell.telemetry import Telemetry

WARNING_SECONDS: Final = 300.0
"""Least time between two equal warnings about one rollout."""
AGAIN_SECONDS: Final = 15.0
"""The same after a warning whose event could not be posted."""
_MAX_WARNINGS: Final = 1024
_RECONCILE: Final = "Reconcile"

_log = structlog.get_logger("sark.transition")


class Recorder:
    """Tells people and programs what happened to a rollout."""

    def __init__(self, cluster: Cluster, clock: Clock, telemetry: Telemetry) -> None:
        self._cluster = cluster
        self._clock = clock
        self._telemetry = telemetry
        self._warned: OrderedDict[tuple[str, str], float] = OrderedDict()
        """Monotonic seconds at which a warning was last given, by rollout's uid and reason; oldest first."""

    async def record(self, rollout: RolloutObject, entries: Sequence[HistoryEntry]) -> None:
        """Tell of the transitions in `entries`, which are in the rollout's status by now."""
        for entry in entries:
            warning = _is_warning(entry.reason)
            write = _log.warning if warning else _log.info
            write("transition", rollout=rollout.key, uid=rollout.uid, **entry.model_dump(mode="json"))
            self._telemetry.transition(rollout.key, entry.reason)
        for entry in entries:
            note = EventNote(entry.reason, _action(entry), entry.message, _is_warning(entry.reason))
            await self._post(rollout, note, entry.time)

    async def warn(self, rollout: RolloutObject, reason: str, message: str) -> None:
        """Warn of something that is no transition; equal warnings, by rollout and `reason`, at most every five minutes."""
        key = rollout.uid, reason
        if self._warned_lately(key):
            return
        _log.warning("warning", rollout=rollout.key, uid=rollout.uid, reason=reason, message=message)
        if not await self._post(rollout, EventNote(reason, _RECONCILE, message, warning=True), self._clock.now()):
            # Nobody who looks at events was warned. It may have been pushed out meanwhile.
            self._warned[key] = self._warned.get(key, self._clock.monotonic()) - (WARNING_SECONDS - AGAIN_SECONDS)

    def _warned_lately(self, key: tuple[str, str]) -> bool:
        """Return whether this warning was given less than five minutes ago; if not, take it as given now."""
        now = self._clock.monotonic()
        last = self._warned.get(key)
        if last is not None and now - last < WARNING_SECONDS:
            return True
        self._warned[key] = now
        self._warned.move_to_end(key)
        while len(self._warned) > _MAX_WARNINGS:
            self._warned.popitem(last=False)
        return False

    async def _post(self, rollout: RolloutObject, note: EventNote, at: datetime) -> bool:
        """Post an event; return whether the API server has it."""
        try:
            await self._cluster.create_event(rollout, note, at)
        except ClusterError as error:
            self._fail(rollout, note, str(error))
        except Exception as error:  # noqa: BLE001 - whatever an event meets, the rollout goes on
            self._fail(rollout, note, f"{type(error).__name__}: {error}")
        else:
            self._telemetry.event("posted")
            return True
        return False

    def _fail(self, rollout: RolloutObject, note: EventNote, problem: str) -> None:
        self._telemetry.event("failed")
        _log.warning("event not posted", rollout=rollout.key, uid=rollout.uid, reason=note.reason, problem=problem)


def _is_warning(reason: str) -> bool:
    """Return whether events of this reason are warnings; one that is in no table had better be seen."""
    known = REASONS.get(reason)
    return known is None or known.event is EventType.WARNING


def _action(entry: HistoryEntry) -> str:
    if entry.from_percent == entry.to_percent:
        return _RECONCILE
    return "RaiseShare" if entry.to_percent > entry.from_percent else "LowerShare"
