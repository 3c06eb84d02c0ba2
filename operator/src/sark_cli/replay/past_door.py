"""Prometheus as it would have answered then.

The operator asks for one instant at each evaluation. Asked one by one, a bake of days would be tens of thousands of requests;
Prometheus evaluates an instant query at every step of a range just the same, so a range is asked for once and its points are
handed out as the replay comes to them. The same goes for the ranges the operator asks for: overlapping ones with one step are
cut out of a longer one.

What a longer range is refused for, or is too much for, the question of one evaluation need not be: that is asked then. What is
not answered is asked again: a replay of an hour must not end for a moment in which the server was busy.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from sark_operator.core.observation import Missing
from sark_operator.shell.clock import Clock
from sark_operator.shell.precedence import Precedence
from sark_operator.shell.prometheus import INVALID, REFUSED, TIMEOUT, UNREACHABLE, PrometheusDoor, Read, Server, as_it_is
from sark_operator.shell.rooms import Claim

CHUNK: Final = 120
"""Evaluations whose answers are asked for at once."""
MOST_POINTS: Final = 10_000
"""Prometheus refuses ranges of more than 11,000."""
PAUSES: Final = (2.0, 10.0, 30.0)
"""Seconds before what was not answered is asked again; after the last of them the replay ends."""
_TOO_LONG: Final = (REFUSED, INVALID)
"""Reasons that may lie in the length of a range: too many samples for the server, or too long an answer for us."""


@dataclass(frozen=True, slots=True)
class _Range:
    """A range that was answered."""

    start: int
    end: int
    series: Sequence[Mapping[str, Any]]

    def covers(self, start: int, end: int) -> bool:
        return self.start <= start and end <= self.end


class PastDoor:
    """`Door` on a real Prometheus, at the replay's own present."""

    def __init__(self, door: PrometheusDoor, clock: Clock, *, end: datetime, step: int) -> None:
        """Answer up to `end`; evaluations are `step` whole seconds apart."""
        self._door = door
        self._clock = clock
        self._begin, self._end = int(clock.now().timestamp()), int(end.timestamp())
        self._step = step
        self._ranges: dict[tuple[str, int, int], _Range] = {}
        self._one_by_one: set[str] = set()
        """Queries of which a range that reaches ahead is refused."""
        self._chunks: dict[str, int] = {}
        """For how many evaluations at once these queries are asked, where the answer to more was late."""
        self._has_answered = False
        self.failure = ""
        """Why Prometheus could not be asked, when it could not: a replay must not take today's outage for one of then."""

    async def instant(
        self,
        server: Server,
        query: str,
        *,
        read: Read = as_it_is,
        precedence: Precedence = Precedence.AWAITED,  # noqa: ARG002 - a replay asks one question at a time
        claim: Claim | None = None,  # noqa: ARG002
    ) -> Any | Missing:
        """Return what `read` makes of what an instant query gave at the replay's present."""
        answer = await self._instant(server, query)
        return answer if isinstance(answer, Missing) else read(answer)

    async def _instant(self, server: Server, query: str) -> Any | Missing:
        now = int(self._clock.now().timestamp())
        if query not in self._one_by_one and not self._is_between:
            answer = await self._range(server, query, now, now, self._step, reaches=True)
            if not isinstance(answer, Missing):
                return [{"metric": each["metric"], "value": each["values"][0]} for each in answer]
            if answer.reason not in _TOO_LONG:
                return self._noted(answer)
            # Not every query has a range: one that gives a range vector itself has none, nor has one that does not parse.
            self._one_by_one.add(query)
        return self._noted(await self._patiently(lambda: self._door.instant(server, query, self._clock.now())))

    async def over(
        self,
        server: Server,
        query: str,
        start: datetime,
        end: datetime,
        step: int,
        *,
        read: Read = as_it_is,
        precedence: Precedence = Precedence.AWAITED,  # noqa: ARG002 - a replay asks one question at a time
        claim: Claim | None = None,  # noqa: ARG002
    ) -> Any | Missing:
        """Return what `read` makes of what a range query gives; its end is never after the replay's present."""
        first = round(start.timestamp())
        last = min(round(end.timestamp()), int(self._clock.now().timestamp()))
        reaches = query not in self._one_by_one
        answer = await self._range(server, query, first, last, step, reaches=reaches)
        if reaches and isinstance(answer, Missing) and answer.reason in _TOO_LONG:
            self._one_by_one.add(query)
            answer = await self._range(server, query, first, last, step, reaches=False)
        if isinstance(answer, Missing):
            # These are the operator's own questions: one that is refused is too much for the server of today.
            self.failure = self.failure or answer.message
            return answer
        return read(answer)

    @property
    def _is_between(self) -> bool:
        """Whether the replay is at a deadline between two evaluations, which no range that is kept has a point for."""
        return (int(self._clock.now().timestamp()) - self._begin) % self._step != 0

    def close(self) -> None:
        """Ask nothing more."""
        self._door.close()

    async def _range(self, server: Server, query: str, start: int, end: int, step: int, *, reaches: bool) -> Any | Missing:
        """Return the points from `start` to `end`, out of a range that `reaches` further."""
        key = (query, step, start % step)
        known = self._ranges.get(key)
        if known is None or not known.covers(start, end):
            alone = known is None and self._is_between
            until = end
            first = datetime.fromtimestamp(start, tz=UTC)

            async def ask() -> Any | Missing:
                nonlocal until
                until = end if alone or not reaches else min(end + self._ahead(query, start, end, step), max(self._end, end))
                answer = await self._door.over(server, query, first, datetime.fromtimestamp(until, tz=UTC), step)
                if until > end and isinstance(answer, Missing) and answer.reason == TIMEOUT:
                    self._chunks[query] = self._chunk(query) // 2
                return answer

            answer = await self._patiently(ask)
            if isinstance(answer, Missing):
                return answer
            known = _Range(start, until, answer)
            if not alone:
                self._ranges[key] = known
        return _cut(known.series, start, end)

    def _ahead(self, query: str, start: int, end: int, step: int) -> int:
        return max(0, min(self._chunk(query) * self._step, MOST_POINTS * step - (end - start)))

    def _chunk(self, query: str) -> int:
        return self._chunks.get(query, CHUNK)

    async def _patiently(self, ask: Callable[[], Awaitable[Any | Missing]]) -> Any | Missing:
        """Return the answer, for which is asked again while none comes. One that has never answered may be no Prometheus."""
        for pause in PAUSES:
            answer = await ask()
            if not self._may_come(answer):
                return answer
            await asyncio.sleep(pause)
        answer = await ask()
        if self._may_come(answer):
            return replace(answer, message=f"{answer.message}, asked {len(PAUSES) + 1} times")
        return answer

    def _may_come(self, answer: Any | Missing) -> bool:
        """Return whether there is no answer, and one may come to the same question."""
        if not isinstance(answer, Missing):
            self._has_answered = True
            return False
        return answer.reason == TIMEOUT or (answer.reason == UNREACHABLE and self._has_answered)

    def _noted(self, answer: Any | Missing) -> Any | Missing:
        if isinstance(answer, Missing) and answer.reason != REFUSED:
            self.failure = self.failure or answer.message
        return answer


def _cut(series: Sequence[Mapping[str, Any]], start: int, end: int) -> list[dict[str, Any]]:
    """Return the series that have points from `start` to `end`, with those alone."""
    found = []
    for each in series:
        points = each["values"]
        first = bisect_left(points, float(start), key=_time)
        if values := points[first : bisect_right(points, float(end), lo=first, key=_time)]:
            found.append({"metric": each["metric"], "values": values})
    return found


def _time(point: Sequence[Any]) -> float:
    return float(point[0])
