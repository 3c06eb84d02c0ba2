"""Prometheus as it would have answered then.

The operator asks for one instant at each evaluation. Asked one by one, a bake of days would be tens of thousands of requests;
Prometheus evaluates an instant query at every step of a range just the same, so a range is asked for once and its points are
handed out as the replay comes to them. The same goes for the ranges the operator asks for: overlapping ones with one step are
cut out of a longer one.

What a longer range is refused for, or is too much for, the question of one evaluation need not be: that is asked then.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sark_operator.core.observation import Missing
from sark_operator.shell.clock import Clock
from sark_operator.shell.precedence import Precedence
from sark_operator.shell.prometheus import INVALID, REFUSED, PrometheusDoor, Read, Server, as_it_is
from sark_operator.shell.rooms import Claim

CHUNK: Final = 120
"""Evaluations whose answers are asked for at once."""
MOST_POINTS: Final = 10_000
"""Prometheus refuses ranges of more than 11,000."""
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
            answer = await self._range(server, query, now, now, self._step, ahead=CHUNK * self._step)
            if not isinstance(answer, Missing):
                return [{"metric": each["metric"], "value": each["values"][0]} for each in answer]
            if answer.reason not in _TOO_LONG:
                return self._noted(answer)
            # Not every query has a range: one that gives a range vector itself has none, nor has one that does not parse.
            self._one_by_one.add(query)
        return self._noted(await self._door.instant(server, query, self._clock.now()))

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
        ahead = max(0, min(CHUNK * self._step, MOST_POINTS * step - (last - first)))
        if query in self._one_by_one:
            ahead = 0
        answer = await self._range(server, query, first, last, step, ahead=ahead)
        if ahead and isinstance(answer, Missing) and answer.reason in _TOO_LONG:
            self._one_by_one.add(query)
            answer = await self._range(server, query, first, last, step, ahead=0)
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

    async def _range(self, server: Server, query: str, start: int, end: int, step: int, *, ahead: int) -> Any | Missing:
        """Return the points from `start` to `end`, out of a range that reaches `ahead` seconds further."""
        key = (query, step, start % step)
        known = self._ranges.get(key)
        if known is None or not known.covers(start, end):
            alone = known is None and self._is_between
            until = end if alone else min(end + ahead, max(self._end, end))
            first, last = datetime.fromtimestamp(start, tz=UTC), datetime.fromtimestamp(until, tz=UTC)
            answer = await self._door.over(server, query, first, last, step)
            if isinstance(answer, Missing):
                return answer
            known = _Range(start, until, answer)
            if not alone:
                self._ranges[key] = known
        return _cut(known.series, start, end)

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
