"""Telling people: every transition once to every address, beside the ticks and never in their way.

A tick hands over what is stored and untold, and goes on; sending happens in a task of its own with a deadline for everything.
How far people were told is handed back to the next tick, which stores it. Most receivers take no part in a transaction, so a
process that dies between the two tells a transition again: delivery is at least once, and each notice carries an id that is the
same both times. An address that was reached is not told again because another one was not, while the process lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

import structlog

from sark_api.status import Notified, SarkRolloutStatus
from sark_operator.core.notices import Notice, from_now_on, untold
from sark_operator.shell.api import RolloutObject
from sark_operator.shell.fence import Leads
from sark_operator.shell.lines import Lines
from sark_operator.shell.telemetry import Telemetry

SEND_SECONDS: Final = 20.0
"""Deadline of one delivery to one address, from when it has a thread: many rollouts may go back at once."""
WAITS: Final = (1.0, 3.0, 9.0, 27.0)
"""Seconds between the attempts for one notice; after the last it is given up."""
NOTICE_SECONDS: Final = 600.0
"""Deadline of one notice with all its waiting in line, for what happens to its rollout next is told after it."""

_log = structlog.get_logger("sark.notifier")


class Address(Protocol):
    """One place to tell."""

    @property
    def name(self) -> str:
        """What it is called in logs: nothing secret."""
        ...

    @property
    def key(self) -> str:
        """What tells it from the others, wherever in the file it stands."""
        ...

    def wants(self, rollout: str, notice: Notice) -> bool:
        """Whether it is told of this transition of `rollout` (namespace/name)."""
        ...

    def send(self, title: str, text: str, *, warning: bool) -> bool:
        """Tell it, in a thread, and return whether it has taken it."""
        ...


Addresses = Callable[[], Sequence[Address]]
"""Returns the addresses as they are now."""


class Notifier:
    """Tells people of what is stored."""

    def __init__(self, addresses: Addresses, leads: Leads, telemetry: Telemetry, *, waits: Sequence[float] = WAITS) -> None:
        self._addresses = addresses
        self._leads = leads
        self._telemetry = telemetry
        self._waits = tuple(waits)
        self._lines = Lines()
        self._marks: dict[str, Notified] = {}
        """By uid of the rollout: how far people were told by this process."""
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, tuple[RolloutObject, SarkRolloutStatus]] = {}
        """By uid: what was stored while something was under way. No tick may come after it."""
        self._gone: set[str] = set()
        """Rollouts that are gone, by uid, while something is under way for them."""
        self.on_told: Callable[[str], None] = lambda _: None
        """Called with the uid of a rollout whose mark has moved, so that it is stored soon."""

    def mark(self, rollout: RolloutObject, status: SarkRolloutStatus, now: datetime) -> Notified:
        """Return how far people have been told; at first sight, all that has happened counts as told."""
        return self._marks.get(rollout.uid) or status.notified or from_now_on(status.history, now)

    def tell(self, rollout: RolloutObject, status: SarkRolloutStatus) -> None:
        """Begin to tell what `status`, which is stored, holds and nobody was told; return at once."""
        if status.notified is None:
            return
        if rollout.uid in self._under_way:
            self._waiting[rollout.uid] = rollout, status
            return
        notices = untold(status.history, self._marks.get(rollout.uid) or status.notified)
        if notices:
            task = asyncio.create_task(self._tell(rollout, notices), name=f"notices of {rollout.key}")
            self._under_way[rollout.uid] = task
            task.add_done_callback(lambda task: self._told(rollout.uid, task))

    def forget(self, uid: str) -> None:
        """Drop what is known of a rollout that is gone, once all of it is told that is under way or waits."""
        if uid in self._under_way:
            self._gone.add(uid)
        else:
            self._marks.pop(uid, None)

    async def close(self) -> None:
        """Stop telling. What is not marked yet is told by the next leader."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._lines.close()

    def _told(self, uid: str, task: asyncio.Task[None]) -> None:
        """Go on with what was stored meanwhile."""
        del self._under_way[uid]
        waiting = self._waiting.pop(uid, None)
        if waiting is not None and not task.cancelled():
            self.tell(*waiting)
        if uid not in self._under_way and uid in self._gone:
            self._gone.discard(uid)
            self._marks.pop(uid, None)

    async def _tell(self, rollout: RolloutObject, notices: Sequence[Notice]) -> None:
        for notice in notices:
            if not await self._delivered(rollout, notice):
                return
            self._marks[rollout.uid] = notice.mark
            self.on_told(rollout.uid)

    async def _delivered(self, rollout: RolloutObject, notice: Notice) -> bool:
        """Tell every address, again and again for those that do not take it, then give them up.

        Return whether that is settled; a process that does not lead any more leaves it to its successor.
        """
        reached: set[str] = set()
        wanted: list[Address] = []
        attempts = 0
        try:
            async with asyncio.timeout(NOTICE_SECONDS):
                for wait in (0.0, *self._waits):
                    await asyncio.sleep(wait)
                    if not self._leads.held:
                        return False
                    attempts += 1
                    wanted = [each for each in self._addresses() if each.key not in reached and each.wants(rollout.key, notice)]
                    await self._round(rollout, notice, wanted, reached)
                    if reached.issuperset(each.key for each in wanted):
                        return True
        except TimeoutError:
            pass
        if not self._leads.held:
            return False
        left = [each.name for each in wanted if each.key not in reached]
        self._telemetry.notification("given up", len(left))
        _log.warning("not told", rollout=rollout.key, reason=notice.entry.reason, addresses=left, attempts=attempts)
        return True

    async def _round(self, rollout: RolloutObject, notice: Notice, wanted: Sequence[Address], reached: set[str]) -> None:
        """Try every address of `wanted`, all at once, and note in `reached` each as soon as it is."""

        async def attempt(address: Address) -> None:
            if await self._sent(rollout, notice, address):
                reached.add(address.key)

        await asyncio.gather(*map(attempt, wanted))

    async def _sent(self, rollout: RolloutObject, notice: Notice, address: Address) -> bool:
        title, text = told_title(rollout, notice), told_text(rollout, notice)
        try:
            sent = await self._lines.send(
                address.key,
                lambda: address.send(title, text, warning=notice.warning),
                seconds=SEND_SECONDS,
                may=lambda: self._leads.held,
            )
        except TimeoutError:
            sent = False
        except Exception as error:  # noqa: BLE001 - a plugin of a library; its message may hold what is secret
            _log.warning("an address failed", rollout=rollout.key, address=address.name, kind=type(error).__name__)
            sent = False
        if sent is None:
            return False
        self._telemetry.notification("sent" if sent else "failed")
        return sent


def told_title(rollout: RolloutObject, notice: Notice) -> str:
    """Return the title of a notice."""
    entry = notice.entry
    change = f" ({entry.from_percent}% to {entry.to_percent}%)" if entry.from_percent != entry.to_percent else ""
    return f"SarkRollout {rollout.key}: {entry.reason}{change}"


def told_text(rollout: RolloutObject, notice: Notice) -> str:
    """Return the text of a notice."""
    at = notice.entry.time.strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{notice.entry.message}\n\n{at}, id {notice.key(rollout.uid)}"
