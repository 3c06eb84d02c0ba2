"""What the page asks of Prometheus: the rollout's own criteria over time, once for all who look.

An answer is kept for the rollout's evaluation interval, so that many viewers ask no more than one, and what nobody looks at is
not asked. The door, and its threads, are the page's own: what it asks never stands in the way of what the operator asks.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any, Final

import structlog

from sark_api import reasons
from sark_operator.core.observation import Missing
from sark_operator.shell.clock import Clock
from sark_operator.shell.prometheus import PrometheusDoor, Server
from sark_operator.shell.prometheus_access import Servers
from sark_operator.shell.shared_answers import Coming, SharedAnswers
from sark_operator.shell.telemetry import Telemetry

from .view.curves import Curves, Series, curves, read_mismatches, read_series
from .view.questions import COMPARISONS, mismatches, questions
from .view.seen import Seen
from .view.span import Span, Stretch, stretch

AT_ONCE: Final = 4
"""Questions of the page under way at the same time."""
LEAST_SECONDS: Final = 2.0
"""Curves are not reckoned more often than this, however short the interval."""
KEPT: Final = 64
"""Sets of curves that are kept."""
MOST_SERIES: Final = 50
"""An answer with more series is not drawn."""

_log = structlog.get_logger("sark.page")


class Figures:
    """The curves of any rollout."""

    def __init__(self, clock: Clock, servers: Servers) -> None:
        """Ask with the credentials that `servers` has at that time."""
        self._clock = clock
        self._servers = servers
        self._door = PrometheusDoor(Telemetry())
        self._room = asyncio.Semaphore(AT_ONCE)
        self._shared: SharedAnswers[Curves] = SharedAnswers(clock, KEPT)
        self._stamps = count(1)

    async def close(self) -> None:
        """End what is under way."""
        await self._shared.close()
        self._door.close()

    def of(self, seen: Seen, span: Span) -> Coming[Curves]:
        """Return the curves of a rollout, which have come or will come; what could not be asked is said in `problem`.

        How old they may be counts from when they came: else curves that take longer than that would never be there.
        """
        max_age = max(LEAST_SECONDS, seen.spec.interval.total_seconds())
        key = (seen.uid, seen.generation, seen.status.attempt, span)
        return self._shared.get(key, max_age, lambda: self._whatever(seen, span), lambda _, took: took + max_age)

    async def _whatever(self, seen: Seen, span: Span) -> Curves:
        try:
            return await self._ask(seen, span)
        except Exception:  # noqa: BLE001 - whatever it is, the state above the curves goes on
            _log.exception("curves cannot be drawn", rollout=seen.key)
            return Curves(problem="The curves cannot be drawn: the operator's log says why.", stamp=next(self._stamps))

    async def _ask(self, seen: Seen, span: Span) -> Curves:
        part = stretch(span, seen.status, seen.spec.criteria.window, self._clock.now())
        if part is None:
            return Curves(problem="Nothing has been begun yet, so there is nothing to draw.", stamp=next(self._stamps))
        access = self._servers.access(seen.spec.prometheus, seen.namespace)
        if isinstance(access, Missing):
            return Curves(problem=f"{access.message}.", stamp=next(self._stamps))
        server = Server(seen.spec.prometheus.address, seen.spec.prometheus.timeout.total_seconds(), access)
        asked = questions(seen, part)
        answers = await asyncio.gather(*(self._over(server, query, part) for query in asked.values()))
        found: dict[str, Series] = {}
        problems: list[str] = []
        for name, answer in zip(asked, answers, strict=True):
            if isinstance(answer, Missing):
                problems.append(answer.message)
            else:
                found[name] = read_series(answer)
        different = await self._different(server, seen, part) if COMPARISONS in asked else []
        if isinstance(different, Missing):  # no table of them must not mean that there were none
            problems.append(different.message)
        problem = f"{problems[0]}." if problems else ""
        return curves(seen, part, found, read_mismatches(different), problem, next(self._stamps))

    async def _over(self, server: Server, query: str, part: Stretch) -> Any | Missing:
        async with self._room:
            return await self._door.over(server, query, part.start, part.end, part.step, read=_few)

    async def _different(self, server: Server, seen: Seen, part: Stretch) -> Any | Missing:
        async with self._room:
            return await self._door.instant(server, mismatches(seen, part), part.end, read=_few)


def _few(result: Any) -> Any | Missing:
    """Return the series of an answer as a list, or why not if there are more than are drawn: they take many times the room."""
    if len(result) > MOST_SERIES:
        name, said = reasons.METRICS_INVALID, f"Prometheus gave {len(result):,} series, and at most {MOST_SERIES} are drawn"
        return Missing(name.name, name.sentence(message=said))
    return list(result)
