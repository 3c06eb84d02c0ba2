"""What of one rollout is on its way to people: the notices that are not settled at every address yet, oldest first.

Each address comes to them in their order and at its own pace. How far people have been told is how far every address has come:
a process that takes over begins there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from sark_api.status import HISTORY_LIMIT, HistoryEntry, Notified
from sark_operator.core.notices import Notice, untold
from sark_operator.shell.api import RolloutObject

MOST: Final = HISTORY_LIMIT
"""Notices on their way for one rollout: a process that takes over would know of no more."""


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


@dataclass(frozen=True, slots=True)
class _Item:
    notice: Notice
    settled: set[str] = field(default_factory=set)
    """Keys of the addresses that have taken it, or were given up."""


class News:
    """The notices of one rollout, and the tasks that tell them."""

    def __init__(self, rollout: RolloutObject, mark: Notified) -> None:
        """Begin where people have been told up to `mark`."""
        self.rollout = rollout
        self.mark = mark
        """How far every address has come."""
        self.tasks: dict[str, asyncio.Task[None]] = {}
        """By key of the address; each address has one while there is something for it."""
        self._known = mark
        """How far the history has been taken over."""
        self._items: deque[_Item] = deque()
        self._addresses: dict[str, Address] = {}

    def take_over(self, history: Sequence[HistoryEntry]) -> bool:
        """Take over what the history holds and nobody was told; return whether there is anything."""
        notices = untold(history, self._known)
        self._items.extend(map(_Item, notices))
        if notices:
            self._known = notices[-1].mark
        return bool(notices)

    def set_addresses(self, addresses: Sequence[Address]) -> None:
        """Go on with these: one that is new is told what is on its way, and nobody waits for one that is gone."""
        self._addresses = {address.key: address for address in addresses}

    @property
    def addresses(self) -> Mapping[str, Address]:
        """The addresses by key."""
        return self._addresses

    def wanted(self, key: str, notice: Notice) -> Address | None:
        """Return the address where it is to be told of `notice`, which is still on its way; else None."""
        address = self._addresses.get(key)
        if address is None or all(each.notice is not notice for each in self._items):
            return None
        return address if address.wants(self.rollout.key, notice) else None

    def next_for(self, key: str) -> Notice | None:
        """Return what an address is to be told next, or None when there is nothing."""
        return next((each.notice for each in self._items if key not in each.settled and self.wanted(key, each.notice)), None)

    def settle(self, key: str, notice: Notice) -> None:
        """Take note that an address has taken a notice, or was given up."""
        for item in self._items:
            if item.notice is notice:
                item.settled.add(key)

    def advance(self) -> bool:
        """Move the mark past what is settled at every address that wants it; return whether there was any."""
        before = self.mark
        while self._items and not self._left(self._items[0]):
            self.mark = self._items.popleft().notice.mark
        return self.mark != before

    def give_up_oldest(self) -> Iterator[tuple[Notice, list[Address]]]:
        """Yield what is too much to be kept, with the addresses it was for, and move the mark past it."""
        while len(self._items) > MOST:
            item = self._items[0]
            left = self._left(item)
            self._items.popleft()
            self.mark = item.notice.mark
            yield item.notice, left

    def _left(self, item: _Item) -> list[Address]:
        """Return the addresses that are still to be told of it."""
        return [each for key, each in self._addresses.items() if key not in item.settled and self.wanted(key, item.notice)]
