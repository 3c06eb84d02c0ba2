"""Rooms in front of servers: how many questions are under way at each, so that one that hangs takes no thread from another.

Whoever writes a rollout names any address, and many of them. So a room is that of a scheme, host and port, however they are
spelt and whatever the path; and there are only so many rooms. A server that answers keeps its room for a while; one that does
not has it only while somebody waits there. Those that find none share one: they may hold up each other, and nobody else.

In a room some places are kept for questions that are about all rollouts of a server. What a user writes, the query of a
criterion of its own, may be as slow as they like, and what hardly anybody else asks comes in any number. Both have some of the
places, and those of one namespace fewer; and neither has those of the other, since a criterion of one tenant must not keep the
breach of another from being seen.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from sark_operator.shell.origin import origin
from sark_operator.shell.shares import Shares

PLACES: Final = 16
"""Questions under way in one room."""
SIGNS: Final = 4
"""As many more for those that may be the first to show a breach: none of the others keeps them out."""
MOST_ROOMS: Final = 16
"""Rooms, the one that is shared among them."""
KEPT_SECONDS: Final = 600.0
"""How long a room is its server's after the last answer."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Questions that are some rollout's own, and their places in a room."""

    places: int
    of_one: int
    """Of these, for one namespace."""


CUSTOM: Final = Kind(4, 2)
"""Queries of `criteria.custom`."""
NARROWED: Final = Kind(8, 4)
"""What is asked about one rollout because hardly any other asks it. An evaluation has about twenty, and each is small."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose own a question is."""

    namespace: str
    kind: Kind


class Room:
    """Those who ask one server, or several that share it."""

    def __init__(self, name: str) -> None:
        self.name = name
        """Whose it is."""
        self._places = asyncio.Semaphore(PLACES)
        self._signs = asyncio.Semaphore(SIGNS)
        self._own = {kind: asyncio.Semaphore(kind.places) for kind in (CUSTOM, NARROWED)}
        self._shares = {kind: Shares(kind.of_one) for kind in (CUSTOM, NARROWED)}
        """By namespace."""
        self._inside = 0
        self._kept_until = -inf

    @property
    def is_free(self) -> bool:
        """Whether it may become another server's."""
        return not self._inside and time.monotonic() > self._kept_until

    async def enter(self, claim: Claim | None = None, *, sign: bool = False) -> Place:
        """Wait for a place. Whoever has one has to leave it.

        `claim` says whose own question it is; None for one about all rollouts. Of these a `sign` has places of its
        own, and any other that is free when there is none of them.
        """
        self._inside += 1
        passed: list[asyncio.Semaphore] = []
        try:
            # The narrowest first: who waits there keeps nobody else out.
            for way in self._ways(claim, sign=sign):
                await way.acquire()
                passed.append(way)
        except BaseException:
            self._go(passed)
            raise
        return Place(self, passed)

    def _ways(self, claim: Claim | None, *, sign: bool) -> Sequence[asyncio.Semaphore]:
        if claim is None:
            beside = sign and (self._places.locked() or not self._signs.locked())
            return (self._signs if beside else self._places,)
        return self._shares[claim.kind].of(claim.namespace), self._own[claim.kind], self._places

    def left(self, passed: Sequence[asyncio.Semaphore], *, answered: bool) -> None:
        """Let the next one in; `answered` says whether the server can be reached."""
        self._go(passed)
        if answered:
            self._kept_until = time.monotonic() + KEPT_SECONDS

    def _go(self, passed: Sequence[asyncio.Semaphore]) -> None:
        self._inside -= 1
        for way in passed:
            way.release()


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a room, which holds on to whatever was passed on the way in."""

    room: Room
    passed: Sequence[asyncio.Semaphore]

    def leave(self, *, answered: bool) -> None:
        """Let the next one in; `answered` says whether the server can be reached."""
        self.room.left(self.passed, answered=answered)


class Rooms:
    """The rooms of all servers. In one event loop."""

    def __init__(self) -> None:
        self._rooms: OrderedDict[str, Room] = OrderedDict()
        """The one that was asked for longest ago first."""
        self._shared: Room | None = None

    def of(self, address: str) -> Room:
        """Return where questions to `address` wait."""
        name = origin(address)
        room = self._rooms.get(name) or self._new(name)
        if room is None:
            self._shared = self._shared or Room("")
            return self._shared
        self._rooms[name] = room
        self._rooms.move_to_end(name)
        return room

    def _new(self, name: str) -> Room | None:
        if len(self._rooms) >= MOST_ROOMS - 1:
            free = next((each for each, room in self._rooms.items() if room.is_free), None)
            if free is None:
                return None
            del self._rooms[free]
        return Room(name)
