"""Answers shared between rollouts: one request under way per question, and its answer kept for as long as it is good for.

An answer about a thousand rollouts is megabytes, and many questions name a time and are never asked again. So what is too old
for whoever asked for it is dropped, not kept until there are too many. It also takes a second to come, in which a hundred
evaluations become due: where the caller says so, the last answer goes on for a moment while the next one is on its way.
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
    kept_for: float
    """The oldest that anybody may take it, as far as is known."""
    took: float = 0.0
    """Seconds until it was there."""
    following: _Entry[Answer] | None = None
    """The same question asked anew, while this answer goes on."""
    before: _Entry[Answer] | None = None
    """The answer that was there when this one was waited for: it may do for who is content with less, until this one comes."""


@dataclass(frozen=True, slots=True)
class Coming(Generic[Answer]):
    """An answer that has come or will come.

    The request is shielded from whoever waits for it, and only then: a shield nobody waits for complains of every failure.
    """

    task: asyncio.Task[Answer]
    asked_at: float
    """When it was asked for, monotonic seconds."""

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
        self._under_way: set[asyncio.Task[Answer]] = set()

    def get(
        self,
        key: Hashable,
        max_age: float,
        ask: Callable[[], Awaitable[Answer]],
        good_for: Callable[[Answer, float], float] | None = None,
        *,
        meanwhile: Callable[[Answer, float], float] | None = None,
        renew: Callable[[], Awaitable[Answer]] | None = None,
        keep: float = 0.0,
    ) -> Coming[Answer]:
        """Return what gives the answer to `key`, asked for at most `max_age` seconds ago; asked for by now, if it had to be.

        So who has many questions begins all, and then waits for one after another: most answers are there already, and a task
        for each, only to see that, would be much of what an evaluation costs. Where it depends on the answer how old it may be,
        `good_for` says so, from the answer and the seconds it took to come. `meanwhile` says from the same for how many seconds
        longer it goes on while it is asked for anew, by `renew` where that is given; not at all by default. For who is content
        with it, it does so also when others wait for the next one already, and is kept until it is `keep` seconds old at least.
        Neither of the two that ask may raise for expected failures.
        """

        def lasts(answer: Answer, took: float) -> tuple[float, float]:
            age = good_for(answer, took) if good_for else max_age
            return age, age + (meanwhile(answer, took) if meanwhile else 0.0)

        kept_for = max(max_age, keep)

        entry = self._entries.get(key)
        if entry is not None and entry.before is not None and not entry.task.done():
            before = entry.before
            if not self._worn(before, lasts(before.task.result(), before.took)[1]):
                return Coming(before.task, before.asked_at)
        age, longest = lasts(entry.task.result(), entry.took) if entry and _has_come(entry) else (max_age, max_age)
        if entry is not None and not self._worn(entry, age):
            entry.kept_for = max(entry.kept_for, longest)
            return Coming(entry.task, entry.asked_at)
        if entry is not None and not self._worn(entry, longest):
            if entry.following is None:
                entry.following = self._begun(renew or ask, kept_for, lasts)
                entry.following.task.add_done_callback(lambda _: self._follow(key, entry))
                self._drop_worn()  # not before: whoever asked for this answer may have wanted a younger one
            return Coming(entry.task, entry.asked_at)
        self._drop_worn()
        following = (entry and entry.following) or self._begun(ask, kept_for, lasts)
        if entry is not None and _has_come(entry) and not following.task.done():
            following.before = entry
        self._put(key, following)
        self._shrink()
        return Coming(following.task, following.asked_at)

    def forget(self, meant: Callable[[Hashable], bool]) -> None:
        """Ask anew the next time for every key that is `meant`; who waits for an answer under way still gets it."""
        for key in [key for key in self._entries if meant(key)]:
            del self._entries[key]

    def _worn(self, entry: _Entry[Answer], max_age: float) -> bool:
        return entry.task.done() and (not _has_come(entry) or self._clock.monotonic() - entry.asked_at > max_age)

    def _follow(self, key: Hashable, entry: _Entry[Answer]) -> None:
        """Let the answer that follows take the place of `entry`, unless that has been forgotten; a failure lets it go on."""
        following, entry.following = entry.following, None
        if following is not None and _has_come(following) and self._entries.get(key) is entry:
            self._put(key, following)

    def _put(self, key: Hashable, entry: _Entry[Answer]) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)

    def _begun(
        self, ask: Callable[[], Awaitable[Answer]], kept_for: float, lasts: Callable[[Answer, float], tuple[float, float]]
    ) -> _Entry[Answer]:
        entry = _Entry(self._clock.monotonic(), asyncio.ensure_future(_awaited(ask)), kept_for)
        self._under_way.add(entry.task)

        def come(task: asyncio.Task[Answer]) -> None:
            self._under_way.discard(task)
            entry.before = None
            entry.took = self._clock.monotonic() - entry.asked_at
            if _has_come(entry):  # which also sees a failure that nobody may be waiting for
                entry.kept_for = max(entry.kept_for, lasts(entry.task.result(), entry.took)[1])

        entry.task.add_done_callback(come)
        return entry

    def _drop_worn(self) -> None:
        for key in [key for key, each in self._entries.items() if each.following is None and self._worn(each, each.kept_for)]:
            del self._entries[key]

    def _shrink(self) -> None:
        for key in [key for key, entry in self._entries.items() if entry.following is None and entry.task.done()]:
            if len(self._entries) <= self._most:
                return
            del self._entries[key]

    async def close(self) -> None:
        """Cancel what is under way, also what has been forgotten."""
        tasks = tuple(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._entries.clear()


def _has_come(entry: _Entry[Answer]) -> bool:
    return entry.task.done() and not entry.task.cancelled() and entry.task.exception() is None


async def _awaited(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    return await ask()
