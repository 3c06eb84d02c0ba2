"""The same number of places for each of many names, so that nobody takes them from another. In one event loop."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary


class Shares:
    """Places by name. A name is known for as long as somebody holds on to its places, and costs nothing afterwards."""

    def __init__(self, places: int) -> None:
        """Give each name so many."""
        self._places = places
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def of(self, name: str) -> asyncio.Semaphore:
        """Return the places of `name`: the same ones to all who hold on to them, which is until they are given back."""
        share = self._shares.get(name)
        if share is None:
            share = self._shares[name] = asyncio.Semaphore(self._places)
        return share
