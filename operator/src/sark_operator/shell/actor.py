"""Acting: the writes of one decision, in the order it names them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from sark_api.status import HISTORY_LIMIT, HistoryEntry
from sark_operator.core.decision import Decision, ReleaseFinalizer, WriteFlags, WriteStatus
from sark_operator.core.lifecycle import begins_revert
from sark_operator.shell.api import Cluster, ClusterError, NotLeadingError, RolloutObject, StaleVersionError, UnavailableError
from sark_operator.shell.filer import Filer
from sark_operator.shell.recorder import Recorder

MAX_ATTEMPTS: Final = 3
MAX_UNSURE: Final = 1024
"""Rollouts of which it is remembered that the answer to a write of their status was lost."""


class Actor:
    """Carries out decisions. The first write that fails ends it: nothing is recorded that did not happen.

    But for one: that a share is taken back is decided for good, whether or not the flags can be written now. It is stored all
    the same, and tried until it is done; decided anew each time, it would be forgotten with the window that showed the breach.
    """

    def __init__(self, cluster: Cluster, recorder: Recorder, filer: Filer) -> None:
        self._cluster = cluster
        self._recorder = recorder
        self._filer = filer
        self._unsure: OrderedDict[str, Sequence[HistoryEntry]] = OrderedDict()
        """Transitions whose status may have been stored although no answer came, by uid; the oldest first."""

    async def act(self, rollout: RolloutObject, flags_config_map: str, decision: Decision) -> None:
        """Carry out `decision`, which was made on `rollout`.

        The transitions are told to people once the status that holds them is stored. Until then the next tick comes to them
        again, so none is told twice, and none is lost but by a process that ends between the two: then only the history in the
        status has it. Their evidence is filed when everything else is done: a revert does not wait for it, and what is not
        filed now is filed in a later tick.

        Raises:
            ClusterError: a write failed; what stands before it in the decision has happened, what stands after has not, but for
                the status of a revert that begins.
        """
        flags_written, released = False, False
        refused: ClusterError | None = None
        for action in decision.actions:
            match action:
                case WriteFlags():
                    try:
                        await self._cluster.write_flags(rollout.namespace, flags_config_map, action)
                    except NotLeadingError:
                        raise
                    except ClusterError as error:
                        if not begins_revert(rollout.status(), decision.status):
                            raise
                        refused = error
                    flags_written = refused is None
                case WriteStatus():
                    rollout = await self._stored(rollout, decision, insist=flags_written)
                    await self._recorder.record(rollout, decision.records)
                case ReleaseFinalizer() if refused is None:
                    await self._file(rollout, decision)
                    await self._cluster.remove_finalizer(rollout)
                    released = True
        await self._record_found(rollout)
        if refused is not None:
            raise refused
        if not released:
            await self._file(rollout, decision)

    async def _record_found(self, rollout: RolloutObject) -> None:
        """Tell of transitions that turn out to be stored, though the answer to their write was lost."""
        unsure = self._unsure.pop(rollout.uid, ())
        if unsure:
            stored = rollout.status().history
            await self._recorder.record(rollout, [entry for entry in unsure if entry in stored])

    async def take_back(self, rollout: RolloutObject, flags_config_map: str, decision: Decision) -> None:
        """Write 0 % if that is what `decision` begins with, and nothing else of it: its status cannot be stored now.

        The next tick that can finds the fleet at the baseline, and takes that over.

        Raises:
            ClusterError: it was not written.
        """
        for action in decision.actions[:1]:
            if isinstance(action, WriteFlags) and action.force and action.document.percentage == 0:
                await self._cluster.write_flags(rollout.namespace, flags_config_map, action)

    async def _file(self, rollout: RolloutObject, decision: Decision) -> None:
        """File the evidence that waits: by now the stored status is the decided one."""
        if decision.status.ledger.unfiled:
            await self._filer.file(rollout, decision.status.ledger)

    async def _stored(self, rollout: RolloutObject, decision: Decision, *, insist: bool) -> RolloutObject:
        """Store the decided status; remember what it tells when no answer says whether it is stored."""
        try:
            return await self._write_status(rollout, decision, insist=insist)
        except (UnavailableError, asyncio.CancelledError):  # a tick that takes too long is cancelled, maybe in this write
            self._doubt(rollout.uid, decision.records)
            raise

    def _doubt(self, uid: str, records: Sequence[HistoryEntry]) -> None:
        """Remember transitions beside those that are unsure already: only a tick that ends says which of them are stored."""
        before = self._unsure.get(uid, ())
        new = [entry for entry in records if entry not in before]
        self._unsure[uid] = [*before, *new][-HISTORY_LIMIT:]  # the status held no more of them
        self._unsure.move_to_end(uid)
        while len(self._unsure) > MAX_UNSURE:
            self._unsure.popitem(last=False)

    async def _write_status(self, rollout: RolloutObject, decision: Decision, *, insist: bool) -> RolloutObject:
        """Store the decided status.

        When the flags are written already, the decision is a fact, and deciding anew would only lose its reason: an edit of the
        spec in between (nobody else writes the status) is then no obstacle. The next tick answers to the edit.
        """
        wanted = decision.status.to_wire()
        for _ in range(MAX_ATTEMPTS if insist else 0):
            try:
                return await self._cluster.write_status(rollout, wanted)
            except StaleVersionError:
                newer = await self._cluster.read_rollout(rollout.namespace, rollout.name)
                if newer.uid != rollout.uid or newer.status_digest != rollout.status_digest:
                    raise
                rollout = newer
        return await self._cluster.write_status(rollout, wanted)
