"""Telling people: every transition once to every address, beside the ticks and never in their way.

A tick hands over what is stored and untold, and goes on; sending happens in tasks of its own, one for each rollout and address,
with a deadline for everything. An address is told of a rollout in order, and waits for no other one.

How far each address has come is handed back to the next tick, which stores it, and an address is told the next notice of a
rollout when that is stored. Most receivers take no part in a transaction, so a process that dies between the two tells that one
notice again: delivery is at least once, and each notice carries an id that is the same both times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

import structlog

from sark_api.status import Notified, SarkRolloutStatus
from sark_operator.core.notices import Notice, from_now_on
from sark_operator.shell.api import RolloutObject
from sark_operator.shell.fence import Leads
from sark_operator.shell.lines import Lines
from sark_operator.shell.news import Address, News
from sark_operator.shell.telemetry import Telemetry

SEND_SECONDS: Final = 20.0
"""Deadline of one delivery to one address, from when it has a thread: many rollouts may go back at once."""
WAITS: Final = (1.0, 3.0, 9.0, 27.0)
"""Seconds between the attempts for one notice; after the last it is given up."""
NOTICE_SECONDS: Final = 600.0
"""Deadline of one notice at one address with all its waiting in line, for what happens to its rollout next is told after it."""
SOON_SECONDS: Final = 1.0
"""How long the note of one address waits for the others, so that where all is well one write is for all of them."""
STORE_SECONDS: Final = 30.0
"""How long the next notice of an address waits for the note of the one before: people hear of a revert also where nothing can
be stored."""

_log = structlog.get_logger("sark.notifier")


Addresses = Callable[[], Sequence[Address]]
"""Returns the addresses as they are now."""


class Notifier:
    """Tells people of what is stored."""

    def __init__(
        self,
        addresses: Addresses,
        leads: Leads,
        telemetry: Telemetry,
        *,
        waits: Sequence[float] = WAITS,
        soon_seconds: float = SOON_SECONDS,
    ) -> None:
        self._addresses = addresses
        self._leads = leads
        self._telemetry = telemetry
        self._waits = tuple(waits)
        self._soon_seconds = soon_seconds
        self._soon: dict[str, asyncio.TimerHandle] = {}
        """By uid: when a mark is handed over that waits for the other addresses."""
        self._lines = Lines()
        self._marks: dict[str, Notified] = {}
        """By uid of the rollout: how far people were told by this process."""
        self._news: dict[str, News] = {}
        """By uid: what is under way."""
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
        news = self._news.get(rollout.uid) or News(rollout, self._marks.get(rollout.uid) or status.notified)
        news.stored = status.notified
        news.storing.set()
        if not news.take_over(status.history):
            return
        self._news[rollout.uid] = news
        for notice, addresses in news.give_up_oldest():
            self._give_up(news, notice, addresses)
            self._note(news)
        self._begin(news)

    def forget(self, uid: str) -> None:
        """Drop what is known of a rollout that is gone, once all of it is told that is under way."""
        if uid in self._news:
            self._gone.add(uid)
            self._news[uid].storing.set()
        else:
            self._drop(uid)

    async def close(self) -> None:
        """Stop telling. What is not marked yet is told by the next leader."""
        tasks = [task for news in self._news.values() for task in news.tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for handle in self._soon.values():
            handle.cancel()
        self._lines.close()

    def _begin(self, news: News) -> None:
        """Read who is to be told, and begin with each of them for whom there is something and nothing is under way."""
        news.set_addresses(self._addresses())
        for key in news.addresses:
            if key not in news.tasks and news.next_for(key) is not None:
                news.tasks[key] = asyncio.create_task(self._tell(news, key), name=f"notices of {news.rollout.key}")
        if not news.tasks:
            self._end(news)

    async def _tell(self, news: News, key: str) -> None:
        """Tell one address what there is for it, in order, whatever becomes of the others."""
        try:
            while (notice := news.next_for(key)) is not None:
                await self._stored(news, key)
                if not await self._is_settled(news, key, notice):
                    break
                news.settle(key, notice)
                self._advance(news)
        finally:
            del news.tasks[key]
            if not news.tasks:
                self._end(news)

    def _end(self, news: News) -> None:
        """Come to the end: all is settled, or left to the process that leads."""
        self._advance(news)
        uid = news.rollout.uid
        del self._news[uid]
        if uid in self._gone:
            self._gone.discard(uid)
            self._drop(uid)

    def _drop(self, uid: str) -> None:
        self._marks.pop(uid, None)
        if (handle := self._soon.pop(uid, None)) is not None:
            handle.cancel()

    async def _stored(self, news: News, key: str) -> None:
        """Wait until it is stored how far an address is, so that a successor tells it no more than one notice again."""
        uid = news.rollout.uid
        with suppress(TimeoutError):
            async with asyncio.timeout(STORE_SECONDS):
                while self._leads.held and uid not in self._gone and not news.is_stored(key):
                    news.storing.clear()
                    self._note(news)
                    await news.storing.wait()

    def _advance(self, news: News) -> None:
        if self._leads.held and news.advance():
            self._note(news)

    def _note(self, news: News) -> None:
        """Hand over the mark: at once where all addresses are level, else when the others had a moment to get there too."""
        uid = news.rollout.uid
        self._marks[uid] = news.mark
        if news.mark.addresses is None:
            self._hand_over(uid)
        elif uid not in self._soon:
            self._soon[uid] = asyncio.get_running_loop().call_later(self._soon_seconds, self._hand_over, uid)

    def _hand_over(self, uid: str) -> None:
        if (handle := self._soon.pop(uid, None)) is not None:
            handle.cancel()
        self.on_told(uid)

    async def _is_settled(self, news: News, key: str, notice: Notice) -> bool:
        """Tell an address, again and again if it does not take it, then give it up.

        Return whether that is settled; a process that does not lead any more leaves it to its successor.
        """
        attempts = 0
        try:
            async with asyncio.timeout(NOTICE_SECONDS):
                for wait in (0.0, *self._waits):
                    await asyncio.sleep(wait)
                    if not self._leads.held:
                        return False
                    self._begin(news)  # the file is read for each notice, and may be mended while one is tried
                    address = news.wanted(key, notice)
                    if address is None:
                        return True
                    attempts += 1
                    if await self._is_sent(news.rollout, notice, address):
                        return True
        except TimeoutError:
            pass
        if not self._leads.held:
            return False
        if (address := news.wanted(key, notice)) is not None:
            self._give_up(news, notice, [address], attempts)
        return True

    def _give_up(self, news: News, notice: Notice, addresses: Sequence[Address], attempts: int = 0) -> None:
        names = [address.name for address in addresses]
        self._telemetry.notification("given up", len(names))
        _log.warning("not told", rollout=news.rollout.key, reason=notice.entry.reason, addresses=names, attempts=attempts)

    async def _is_sent(self, rollout: RolloutObject, notice: Notice, address: Address) -> bool:
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
