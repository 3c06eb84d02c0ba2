"""Statuses that were decided and not written yet, because they bring no news.

They are kept in memory for the next tick of the same rollout, which decides on them as if they were stored. Whenever the stored
status is not the one they were decided on, somebody else has written it, and they are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final
from zlib import compress, decompress

from sark_api.spec import SarkRolloutSpec
from sark_api.status import SarkRolloutStatus
from sark_operator.core.decision import Action, Decision, WriteStatus
from sark_operator.core.worth import is_news, longest_wait
from sark_operator.shell.api import RolloutObject
from sark_operator.shell.clock import Clock
from sark_operator.shell.latest import Latest

_FAST: Final = 1
"""How hard to pack: a twentieth of a millisecond, for three quarters of the size."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A status that waits."""

    version: str
    """Of the object in which something else is stored: while it has not changed, neither has that."""
    stored: bytes
    """Digest of what is stored instead."""
    status: bytes
    """As it would be stored, and packed: as text it is four times as large, and as values twenty."""
    since: float
    """Monotonic seconds at which the oldest change in it was decided."""


class Deferral:
    """The statuses of this process that wait for their write, by uid of the rollout."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def latest(self, rollout: RolloutObject) -> Latest:
        """Return the status to decide on: the one that waits, else the stored one.

        Raises:
            UnreadableError: what is stored does not fit the model.
        """
        kept = self._kept.get(rollout.uid)
        if kept is not None and kept.stored == _digest(rollout, kept):
            return Latest.of(decompress(kept.status), partial(_unpacked, kept.status))
        self.forget(rollout.uid)
        return rollout.latest()

    def due(self, rollout: RolloutObject, spec: SarkRolloutSpec, decision: Decision) -> tuple[Action, ...]:
        """Return the actions to be done now: without the write of the status where nothing but it is due, and it may wait.

        What waits is kept until something else is stored, so that a write that fails loses none of it.
        """
        kept = self._kept.get(rollout.uid)
        others = tuple(action for action in decision.actions if not isinstance(action, WriteStatus))
        decided = len(others) < len(decision.actions)
        if not decided and kept is None:
            return decision.actions
        since = kept.since if kept else self._clock.monotonic()
        waited = self._clock.monotonic() - since
        if others or is_news(rollout.status(), decision.status) or waited >= longest_wait(spec).total_seconds():
            return decision.actions if decided else (WriteStatus(), *others)
        self._kept[rollout.uid] = _Kept(rollout.resource_version, _digest(rollout, kept), _packed(decision.status), since)
        return ()

    def forget(self, uid: str) -> None:
        """Drop what waits for a rollout."""
        self._kept.pop(uid, None)


def _digest(rollout: RolloutObject, known: _Kept | None) -> bytes:
    """Return the digest of the stored status, which is `known` where the version is."""
    if known is not None and known.version == rollout.resource_version:
        return known.stored
    return rollout.status_digest


def _packed(status: SarkRolloutStatus) -> bytes:
    return compress(status.model_dump_json(by_alias=True, exclude_none=True).encode(), _FAST)


def _unpacked(packed: bytes) -> SarkRolloutStatus:
    return SarkRolloutStatus.model_validate_json(decompress(packed))
