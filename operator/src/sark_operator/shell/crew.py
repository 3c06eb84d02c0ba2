"""All workers of this process: one begins when its rollout is first seen, and is woken when what the user wrote has changed."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from sark_operator.shell.api import RolloutObject
from sark_operator.shell.directory import Directory
from sark_operator.shell.telemetry import Telemetry
from sark_operator.shell.tripwires import Tripwires
from sark_operator.shell.worker import Worker

AGAIN_SECONDS = 5.0
"""How soon a worker that ended by a fault is followed by another."""
OVERDUE_SECONDS = 180.0
"""A worker later than this makes the process unhealthy: longer than its longest tick."""

_log = structlog.get_logger("sark.crew")

MakeWorker = Callable[[RolloutObject], Worker]


@dataclass(slots=True)
class _Member:
    worker: Worker
    task: asyncio.Task[None]
    asked: tuple[int, bool]


class Crew:
    """Starts, wakes and ends workers as the watch reports rollouts."""

    def __init__(self, make_worker: MakeWorker, directory: Directory, telemetry: Telemetry, tripwires: Tripwires) -> None:
        self._make_worker = make_worker
        self._directory = directory
        self._telemetry = telemetry
        self._tripwires = tripwires
        tripwires.on_tripped = self._tripped
        self._members: dict[str, _Member] = {}
        self._closed = False
        self.on_lost: Callable[[str], None] = lambda _: None
        """Called with the uid of a rollout that is gone."""
        self.on_closed: Callable[[], Awaitable[None]] = _nothing
        """Ends what evaluations have begun: kopf waits for what still runs when it stops, and the Lease runs out."""

    def saw(self, raw: dict[str, Any]) -> None:
        """Take note of a rollout as the watch shows it.

        Only a change of what the user wrote wakes its worker: our own status writes come back through the watch too, and must
        not keep a worker awake. Once the crew is closed nothing begins: the watch ends after the workers, and reports their
        last writes until then.
        """
        if self._closed:
            return
        rollout = RolloutObject(raw)
        self._directory.put(rollout)
        asked = (rollout.identity().generation, rollout.deleting)
        member = self._members.get(rollout.uid)
        if member is None or member.task.done():
            self._begin(rollout, asked)
        elif member.asked != asked:
            member.asked = asked
            if rollout.asks_back:
                member.worker.turn_back()
            else:
                member.worker.wake()
        self._wake_neighbours(rollout)

    def _begin(self, rollout: RolloutObject, asked: tuple[int, bool]) -> None:
        worker = self._make_worker(rollout)
        if rollout.asks_back:
            worker.turn_back()
        # In a context of its own: kopf's would keep the whole object as it was first seen, for as long as the worker lives.
        own, who = contextvars.Context(), _named(rollout)
        task = asyncio.create_task(worker.run(), name=f"rollout {rollout.key}", context=own)
        task.add_done_callback(lambda task: self._ended(who, task), context=own)
        self._members[rollout.uid] = _Member(worker, task, asked)

    def lost(self, raw: dict[str, Any]) -> None:
        """Take note that a rollout is gone; another one may be waiting for its target."""
        rollout = RolloutObject(raw)
        member = self._members.pop(rollout.uid, None)
        if member is not None:
            member.task.cancel()
        self._forget(rollout)

    def wake(self, uid: str, *, urgent: bool = False) -> None:
        """Let the rollout with this uid be looked at now, before all that is only due if it is `urgent`."""
        member = self._members.get(uid)
        if member is not None:
            member.worker.wake(urgent=urgent)

    def late(self) -> list[str]:
        """Return the rollouts whose tick is overdue: the process does not do its work."""
        return [
            f"{member.worker.key} has not been evaluated for {member.worker.overdue_seconds:.0f} s longer than planned"
            for member in self._members.values()
            if not member.task.done() and member.worker.overdue_seconds > OVERDUE_SECONDS
        ]

    def hangs(self) -> bool:
        """Return whether no rollout at all is evaluated any more, though every one is long overdue."""
        members = [member for member in self._members.values() if not member.task.done()]
        return bool(members) and all(member.worker.overdue_seconds > OVERDUE_SECONDS for member in members)

    async def close(self) -> None:
        """End all workers, for good; a tick under way stops between two requests."""
        self._closed = True
        tasks = [member.task for member in self._members.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._members.clear()
        await self.on_closed()

    def _tripped(self, uid: str) -> None:
        member = self._members.get(uid)
        if member is not None:
            _log.info("breach in sight, evaluated before what is only due", rollout=member.worker.key)
            member.worker.wake(urgent=True)

    def _ended(self, rollout: RolloutObject, task: asyncio.Task[None]) -> None:
        """Take note that a worker has ended, which it does when its rollout is gone: a watch does not always report that."""
        if not self._is_member(rollout, task):
            return
        if task.cancelled() or task.exception() is not None:
            # Of a rollout that nobody evaluates the watch has no news, for nothing is written to it.
            fault = None if task.cancelled() else task.exception()
            _log.error("its worker has ended by a fault, and another one follows", rollout=rollout.key, exc_info=fault)
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._follow, rollout, task)
            return
        del self._members[rollout.uid]
        self._forget(rollout)

    def _follow(self, rollout: RolloutObject, task: asyncio.Task[None]) -> None:
        """Let another worker go on, where it is still `task` that stands for the rollout."""
        if self._is_member(rollout, task):
            self._begin(rollout, self._members[rollout.uid].asked)

    def _is_member(self, rollout: RolloutObject, task: asyncio.Task[None]) -> bool:
        member = self._members.get(rollout.uid)
        return member is not None and member.task is task and not self._closed

    def _forget(self, rollout: RolloutObject) -> None:
        """Drop all that is known of a rollout that is gone, but for series of one that was made under its name meanwhile."""
        self._directory.drop(rollout.uid)
        self._tripwires.remove(rollout.uid)
        if all(other.key != rollout.key for other in self._directory.others(rollout)):
            self._telemetry.forget(rollout.key)
        self.on_lost(rollout.uid)
        self._wake_neighbours(rollout, always=True)

    def _wake_neighbours(self, rollout: RolloutObject, *, always: bool = False) -> None:
        if not (always or rollout.deleting):
            return
        for other in self._directory.others(rollout):
            member = self._members.get(other.uid)
            if member is not None:
                member.worker.wake()


def _named(rollout: RolloutObject) -> RolloutObject:
    """Return of the object what names it: it is kept for as long as its worker."""
    metadata = {name: rollout.raw["metadata"][name] for name in ("namespace", "name", "uid")}
    return RolloutObject({"metadata": metadata})


async def _nothing() -> None:
    pass
