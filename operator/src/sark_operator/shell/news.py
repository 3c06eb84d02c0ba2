"""What of one rollout is on its way to people: the notices that are not settled at every address yet, oldest first.

Each address comes to them in their order and at its own pace. How far each of them is goes by its name, so that a process that
takes over begins with each where that one is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Final, Protocol

from sark_api.status import HISTORY_LIMIT, HistoryEntry, Notified, NotifiedAddress
from sark_operator.core.notices import Notice, mark_of, untold
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
    def label(self) -> str:
        """What its progress stands under in the status: nothing secret. Addresses of one label share it."""
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


class News:
    """The notices of one rollout, and the tasks that tell them."""

    def __init__(self, rollout: RolloutObject, mark: Notified) -> None:
        """Begin where people have been told up to `mark`."""
        self.rollout = rollout
        self.mark = mark
        """How far the addresses have come."""
        self.stored = mark
        """What the status says of that."""
        self.storing = asyncio.Event()
        """Set whenever a status was stored."""
        self.tasks: dict[str, asyncio.Task[None]] = {}
        """By key of the address; each address has one while there is something for it."""
        self._passed = Notified(until=mark.until, count=mark.count)
        """The mark before the first notice that is kept."""
        self._known = self._passed
        """How far the history has been taken over."""
        self._first = 0
        """Number of the first notice that is kept; those after it count on."""
        self._notices: deque[Notice] = deque()
        self._addresses: dict[str, Address] = {}
        self._told: dict[str, int] = {}
        """By key: number of the first notice that the address was not told yet."""
        self._read = False
        """Whether it is known who is to be told."""

    def take_over(self, history: Sequence[HistoryEntry]) -> bool:
        """Take over what the history holds and nobody was told; return whether there is anything."""
        notices = untold(history, self._known)
        self._notices.extend(notices)
        if notices:
            self._known = notices[-1].mark
        return bool(notices)

    def set_addresses(self, addresses: Sequence[Address]) -> None:
        """Go on with these: one whose label is new is told what nobody was told yet, and nobody waits for one that is gone."""
        before, told = self._places(), self._told
        furthest = max(before.values(), default=self._end)
        self._addresses = {address.key: address for address in addresses}
        self._told = {}
        for key, address in self._addresses.items():
            start = before.get(address.label, furthest) if self._read else self._number(mark_of(self.mark, address.label))
            self._told[key] = told.get(key, start)
        self._read = True

    @property
    def addresses(self) -> Mapping[str, Address]:
        """The addresses by key."""
        return self._addresses

    def wanted(self, key: str, notice: Notice) -> Address | None:
        """Return the address where it is to be told of `notice`, which is still on its way; else None."""
        address = self._addresses.get(key)
        if address is None or all(each is not notice for each in self._notices):
            return None
        return address if address.wants(self.rollout.key, notice) else None

    def next_for(self, key: str) -> Notice | None:
        """Return what an address is to be told next, or None when there is nothing."""
        place = self._place(key) if key in self._addresses else self._end
        return self._notices[place - self._first] if place < self._end else None

    def settle(self, key: str, notice: Notice) -> None:
        """Take note that an address has taken a notice, or was given up."""
        for number, each in enumerate(self._notices, self._first):
            if each is notice and key in self._told:
                self._told[key] = number + 1

    def advance(self) -> bool:
        """Let go of what is settled at every address that wants it; return whether the mark has moved."""
        before = self.mark
        slowest = min(self._places().values(), default=self._end)
        while self._first < slowest:
            self._let_go()
        self._set_mark()
        return self.mark != before

    def give_up_oldest(self) -> Iterator[tuple[Notice, list[Address]]]:
        """Yield what is too much to be kept, with the addresses it was for, and move the mark past it."""
        while len(self._notices) > MOST:
            left = [address for key, address in self._addresses.items() if self._place(key) == self._first]
            notice = self._let_go()
            self._set_mark()
            yield notice, left

    def is_stored(self, key: str) -> bool:
        """Return whether the status says how far an address is, as far as it can say that."""
        address = self._addresses.get(key)
        return address is None or mark_of(self.stored, address.label) == mark_of(self.mark, address.label)

    @property
    def _end(self) -> int:
        return self._first + len(self._notices)

    def _let_go(self) -> Notice:
        notice = self._notices.popleft()
        self._first += 1
        self._passed = notice.mark
        return notice

    def _place(self, key: str) -> int:
        """Return the number of the first notice that an address is still to be told."""
        address, told = self._addresses[key], self._told[key]
        ahead = ((number, notice) for number, notice in enumerate(self._notices, self._first) if number >= told)
        return next((number for number, notice in ahead if address.wants(self.rollout.key, notice)), self._end)

    def _places(self) -> dict[str, int]:
        """Return the same by label: where several share one, that of the slowest of them."""
        places: dict[str, int] = {}
        for key, address in self._addresses.items():
            places[address.label] = min(self._place(key), places.get(address.label, self._end))
        return places

    def _number(self, mark: Notified) -> int:
        """Return the number of the first notice after `mark`, which may be of a notice that is not kept."""
        marks = self._marks()
        if mark in marks:
            return self._first + marks.index(mark)
        passed = takewhile(lambda each: (each.until, each.count) <= (mark.until, mark.count), marks[1:])
        return self._first + len(list(passed))

    def _marks(self) -> list[Notified]:
        """Return how far an address is that was told none of the notices that are kept, the first of them, the second ..."""
        return [self._passed, *(notice.mark for notice in self._notices)]

    def _set_mark(self) -> None:
        places = self._places()
        addresses = None
        if len(set(places.values())) > 1:
            marks = self._marks()
            furthest_first = sorted(places.items(), key=lambda each: (-each[1], each[0]))
            reached = [(label, marks[place - self._first]) for label, place in furthest_first]
            addresses = [NotifiedAddress(name=label, until=mark.until, count=mark.count) for label, mark in reached]
        self.mark = Notified(until=self._passed.until, count=self._passed.count, addresses=addresses)
