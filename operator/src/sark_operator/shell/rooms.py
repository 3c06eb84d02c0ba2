"""Rooms in front of servers: how many questions are under way at each, so that one that hangs takes no thread from another.

Whoever writes a rollout names any address, and many of them. So a room is that of a scheme, host and port, however they are
spelt and whatever the path; and there are only so many rooms. A server that answers keeps its room for a while; one that does
not has it only while somebody waits there. Those that find none share one: they may hold up each other, and nobody else.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from math import inf
from typing import Final

from sark_operator.shell.origin import origin

PLACES: Final = 16
"""Questions under way in one room."""
MOST_ROOMS: Final = 16
"""Rooms, the one that is shared among them."""
KEPT_SECONDS: Final = 600.0
"""How long a room is its server's after the last answer."""


class Room:
    """Those who ask one server, or several that share it."""

    def __init__(self, name: str) -> None:
        self.name = name
        """Whose it is."""
        self._places = asyncio.Semaphore(PLACES)
        self._inside = 0
        self._kept_until = -inf

    @property
    def is_free(self) -> bool:
        """Whether it may become another server's."""
        return not self._inside and time.monotonic() > self._kept_until

    async def enter(self) -> None:
        """Wait for a place. Whoever has entered has to leave."""
        self._inside += 1
        try:
            await self._places.acquire()
        except BaseException:
            self._inside -= 1
            raise

    def leave(self, *, answered: bool) -> None:
        """Let the next one in; `answered` says whether the server can be reached."""
        self._inside -= 1
        self._places.release()
        if answered:
            self._kept_until = time.monotonic() + KEPT_SECONDS


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
