"""Answers shared between rollouts: one request under way per question, and its answer kept for as long as it is good for.

An answer about a thousand rollouts is megabytes, and many questions name a time and are never asked again. So what is too old
for whoever asked for it is dropped, not kept until there are too many.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Generator, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sark_operator.shell.clock import Clock

Answer = TypeVar("Answer")
MAX_ANSWERS = 512


@dataclass(slots=True)
class _Entry(Generic[Answer]):
    asked_at: float
    task: asyncio.Task[Answer]
    max_age: float
    """The oldest that anybody has taken it so far."""
    took: float = 0.0
    """Seconds until it was there."""


@dataclass(frozen=True, slots=True)
class _Coming(Generic[Answer]):
    """An answer that has come or will come.

    The request is shielded from whoever waits for it, and only then: a shield nobody waits for complains of every failure.
    """

    task: asyncio.Task[Answer]

    def __await__(self) -> Generator[Any, None, Answer]:
        return asyncio.shield(self.task).__await__()


class SharedAnswers(Generic[Answer]):
    """A cache by age with single flight.

    Age counts from the moment a question was asked, so an answer is never newer than it claims. A caller that goes away does
    not take the request of the others with it.
    """

    def __init__(self, clock: Clock, most: int = MAX_ANSWERS) -> None:
        """Keep at most so many answers."""
        self._clock = clock
        self._most = most
        self._entries: OrderedDict[Hashable, _Entry[Answer]] = OrderedDict()

    def get(
        self,
        key: Hashable,
        max_age: float,
        ask: Callable[[], Awaitable[Answer]],
        good_for: Callable[[Answer, float], float] | None = None,
    ) -> Awaitable[Answer]:
        """Return what gives the answer to `key`, asked for at most `max_age` seconds ago; asked for by now, if it had to be.

        So who has many questions begins all, and then waits for one after another: most answers are there already, and a task
        for each, only to see that, would be much of what an evaluation costs. Where it depends on the answer how old it may be,
        `good_for` says so, from the answer and the seconds it took to come. `ask` must not raise for expected failures.
        """
        entry = self._entries.get(key)
        if entry is not None and good_for is not None and _has_come(entry):
            max_age = good_for(entry.task.result(), entry.took)
        if entry is None or self._worn(entry, max_age):
            self._drop_worn()
            entry = self._begun(ask, max_age, good_for)
            self._entries[key] = entry
            self._entries.move_to_end(key)
            self._shrink()
        entry.max_age = max(entry.max_age, max_age)
        return _Coming(entry.task)

    def forget(self, meant: Callable[[Hashable], bool]) -> None:
        """Ask anew the next time for every key that is `meant`; who waits for an answer under way still gets it."""
        for key in [key for key in self._entries if meant(key)]:
            del self._entries[key]

    def _worn(self, entry: _Entry[Answer], max_age: float) -> bool:
        return entry.task.done() and (not _has_come(entry) or self._clock.monotonic() - entry.asked_at > max_age)

    def _begun(
        self, ask: Callable[[], Awaitable[Answer]], max_age: float, good_for: Callable[[Answer, float], float] | None
    ) -> _Entry[Answer]:
        entry = _Entry(self._clock.monotonic(), asyncio.ensure_future(_awaited(ask)), max_age)

        def come(_: asyncio.Task[Answer]) -> None:
            entry.took = self._clock.monotonic() - entry.asked_at
            if _has_come(entry) and good_for is not None:  # in this order: it sees a failure that nobody may be waiting for
                entry.max_age = max(entry.max_age, good_for(entry.task.result(), entry.took))

        entry.task.add_done_callback(come)
        return entry

    def _drop_worn(self) -> None:
        for key in [key for key, entry in self._entries.items() if self._worn(entry, entry.max_age)]:
            del self._entries[key]

    def _shrink(self) -> None:
        for key in [key for key, entry in self._entries.items() if entry.task.done()]:
            if len(self._entries) <= self._most:
                return
            del self._entries[key]

    async def close(self) -> None:
        """Cancel what is under way."""
        tasks = [entry.task for entry in self._entries.values() if not entry.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._entries.clear()


def _has_come(entry: _Entry[Answer]) -> bool:
    return entry.task.done() and not entry.task.cancelled() and entry.task.exception() is None


async def _awaited(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    return await ask()
