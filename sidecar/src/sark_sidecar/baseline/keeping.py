"""Decisions wait here until OPA was seen to serve what it served when they were made; only then do they go to Redis.

What OPA serves is known from looks at it. A decision that was made since the last one may be by policies that nobody has seen
yet, and others who share the Redis would find it under the revision of those before. So it is put there after a look that
began later, and only if that look has found nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from .decisions import MAX_VALUE_BYTES

MOST = 8192
"""Decisions that wait; more are not kept."""
MOST_BYTES = 16_777_216
_AT_A_TIME = 16
"""Commands on their way at once: requests that look something up need connections too."""
_BYTES_BESIDE = 512
"""What keeping one costs beside its value, about."""


class Redis(Protocol):
    """Keeps decisions; never raises."""

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return what is kept under each key."""

    async def set(self, key: str, value: bytes, seconds: float) -> None:
        """Keep a value for so long, if that is longer than nothing."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    value: bytes
    until: float
    """When its life ends, which began when it was decided."""
    holds: Callable[[], bool]


class Keeping:
    """Finds decisions in Redis, and puts them there a look at OPA later."""

    def __init__(
        self,
        redis: Redis,
        look_again: Callable[[], asyncio.Future[None]],
        *,
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """`look_again` returns a future that is done when a look at OPA that has not begun yet is over."""
        self._redis = redis
        self._look_again = look_again
        self._clock = clock
        self._most = most
        self._most_bytes = most_bytes
        self._waiting: dict[str, _Waiting] = {}
        self._bytes = 0
        self._looked: deque[tuple[str, _Waiting]] = deque()
        """Those that the look was over for."""
        self._woken = asyncio.Event()

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return what is kept under each key."""
        return await self._redis.get(keys)

    def keep(self, key: str, value: bytes, seconds: float, holds: Callable[[], bool]) -> None:
        """Keep a decision made just now for so long, if `holds` is still true after another look; not when too many wait."""
        before = self._waiting.get(key)
        # Who came first is through first; a key that is asked for all the time would else wait for ever.
        is_taken = before is not None and before.until > self._clock() and before.holds()
        if seconds <= 0 or len(value) > MAX_VALUE_BYTES or is_taken:
            return
        self._forget(key)
        if len(self._waiting) >= self._most or self._bytes + _size(key, value) > self._most_bytes:
            return
        waiting = self._waiting[key] = _Waiting(value, self._clock() + seconds, holds)
        self._bytes += _size(key, value)
        self._look_again().add_done_callback(partial(self._is_looked, key, waiting))

    async def run(self) -> None:
        """Put them into Redis until cancelled."""
        while True:
            await self._woken.wait()
            await self.write()

    async def write(self) -> None:
        """Put into Redis what may be, and forget the rest of what the look was over for."""
        self._woken.clear()
        while self._looked:
            some = [self._looked.popleft() for _ in range(min(_AT_A_TIME, len(self._looked)))]
            await asyncio.gather(*(self._write(key, waiting) for key, waiting in some))

    async def _write(self, key: str, waiting: _Waiting) -> None:
        if waiting is not self._waiting.get(key):
            return
        left = waiting.until - self._clock()
        try:
            if left > 0 and waiting.holds():
                await self._redis.set(key, waiting.value, left)
        finally:
            if waiting is self._waiting.get(key):
                self._forget(key)

    def _is_looked(self, key: str, waiting: _Waiting, _: asyncio.Future[None]) -> None:
        self._looked.append((key, waiting))
        self._woken.set()

    def _forget(self, key: str) -> None:
        if (waiting := self._waiting.pop(key, None)) is not None:
            self._bytes -= _size(key, waiting.value)


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value) + _BYTES_BESIDE
