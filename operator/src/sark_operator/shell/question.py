"""The questions one evaluation of one rollout asks, each shared with whoever asks the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from math import ceil, isfinite
from typing import Any, TypeVar

from sark_api.spec import SarkRolloutSpec
from sark_operator.core.alerts import FiringAlerts
from sark_operator.core.observation import CountedWindow, Histogram, Missing
from sark_operator.core.plan import compares
from sark_operator.core.problems import CLOCKS_MAY_DIFFER
from sark_operator.shell import answers, promql
from sark_operator.shell.answers import AnswerError, Gathering, Requests
from sark_operator.shell.audience import Audience, Topic
from sark_operator.shell.clock import Clock
from sark_operator.shell.counting import MOST_WINDOWS, WINDOWS_AT_ONCE, Grid, counted_windows, plane_windows
from sark_operator.shell.data_plane import DataPlaneQuestions
from sark_operator.shell.lasting import LastingQuestions, Memory
from sark_operator.shell.oddities import ODD, Oddities
from sark_operator.shell.origin import origin
from sark_operator.shell.precedence import Precedence
from sark_operator.shell.prometheus import INVALID, Door, Server
from sark_operator.shell.promql import QueryOf
from sark_operator.shell.rooms import CUSTOM, NARROWED, Claim
from sark_operator.shell.shared_answers import Coming, SharedAnswers
from sark_operator.shell.tripwires import Tripwires

MOST_SHARED_SECONDS = 5.0
"""An answer is shared between rollouts for this long, and for at most half of a rollout's interval."""
MOST_SHARED_MEMORY_SECONDS = 60.0
"""The same for resident memory, and at most the time between two of its points, or an eighth of its window and one interval."""
MOST_SHARED_LATEST_SECONDS = 15.0
"""The same for the latest counting windows, and at most the length of one and one interval: they may still be coming."""
MOST_SHARED_WINDOWS_SECONDS = 30.0
"""The same for those before, whatever the interval: who comes late counts what others have counted."""
MOST_SHARED_BUSY_SECONDS = 15.0
"""The same for answers that are long in coming, and at most one interval."""
MOST_MEANWHILE_SECONDS = 2.5
"""How long the last answer goes on beyond that while the next one is on its way: at most twice what it took, and at most a part
of an interval and of the window."""
GLIMPSE_SECONDS = 10.0
"""The same for who looks for a breach alone: one that was there some seconds ago is one."""
_MEANWHILE_INTERVALS = 1 / 4
_MEANWHILE_WINDOWS = 1 / 10
_MEMORY_PARTS = 8
_LEAST_SHARED_SECONDS = 0.2
_RATES, _COUNTED, _MEMORY = "rates", "counted", "memory"
"""What has a window of its own."""

Parsed = TypeVar("Parsed")
_Ask = Callable[[Precedence], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Passage:
    """What every question goes through, whosever it is."""

    door: Door
    answers: SharedAnswers[Any]
    """Those about all rollouts."""
    own: SharedAnswers[Any]
    """Those that one rollout asked for, which are of use to hardly anybody else, and must not push the others out."""
    audience: Audience
    tripwires: Tripwires
    oddities: Oddities
    clock: Clock


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a question is about."""

    matcher: str = ""
    """What narrows it to a rollout."""
    claim: Claim | None = None
    """Whose own it is."""


ALL = Scope()


class Question:
    """Everything one evaluation of `rollout` (namespace/name) asks of `server`.

    What is common among the rollouts of a server is asked about all of them. The rest is narrowed to this one, and has the
    places of what one rollout asks for itself.
    """

    def __init__(self, passage: Passage, rollout: str, spec: SarkRolloutSpec, server: Server, *, at_once: bool = False) -> None:
        """`at_once` says that an older answer is better than a wait."""
        self.server = server
        self._at_once = at_once
        self._passage, self._rollout = passage, rollout
        self._namespace = rollout.partition("/")[0]
        self._criteria = spec.criteria
        self._compares = bool(spec.criteria.decision_mismatch.limit_parts_per_million) or compares(spec)
        """Whether some decisions may differ, or some step compares them: else they are not weighed."""
        self._interval = spec.interval.total_seconds()
        self._meanwhile = min(
            MOST_MEANWHILE_SECONDS,
            self._interval * _MEANWHILE_INTERVALS,
            self._criteria.window.total_seconds() * _MEANWHILE_WINDOWS,
        )
        self.asked_at = passage.clock.monotonic()
        """When the oldest answer to an instant query was asked for, monotonic seconds."""
        self._max_age = max(_LEAST_SHARED_SECONDS, min(self._interval / 2, MOST_SHARED_SECONDS))
        self._common = self._among_others()

    def _among_others(self) -> frozenset[Topic]:
        """Return what is worth an answer about all: the way to the server by itself, and with each window."""
        grown = self._criteria.memory_growth
        windows = {(_RATES, self._criteria.window), (_COUNTED, self._criteria.counting()), (_MEMORY, grown.window)}
        if grown.sustained_windows > 1:
            windows.add((_MEMORY, grown.sustained))
        topics = frozenset((self.server, *topic) for topic in (*windows, ()))
        return self._passage.audience.common((origin(self.server.address), self.server.access), self._rollout, topics)

    def _about(self, *topic: object) -> Scope:
        """Return whom a question of `topic` is about."""
        if (self.server, *topic) in self._common:
            return ALL
        return Scope(promql.only(self._rollout), Claim(self._namespace, NARROWED))

    def ages(self) -> Awaitable[Ages | Missing]:
        """Ask how old the newest samples are; the server tells its own time with it."""
        about, clock = self._about(), self._passage.clock
        query = promql.sample_age(about.matcher)

        async def ask(precedence: Precedence) -> Ages | Missing:
            before, claim = clock.now(), about.claim
            found = await self._passage.door.instant(self.server, query, read=answers.ages, precedence=precedence, claim=claim)
            if isinstance(found, Missing):
                return found
            return Ages(found.seconds, clock_ahead(found.at, before, clock.now()))

        return self._instant(query, ask, about, sign=True)

    def scraped(self) -> Awaitable[Mapping[str, float] | Missing]:
        """Ask how many sidecars are seen, by rollout."""
        return self._rates(promql.scraped, answers.at_once(answers.NumberByRollout))

    def claimants(self) -> Awaitable[Mapping[str, frozenset[str]] | Missing]:
        """Ask from which namespaces there are series, by rollout."""
        return self._rates(promql.claimants, lambda result: answers.namespaces_by_rollout(answers.samples(result)))

    def requests(self) -> Awaitable[Mapping[str, Mapping[str, Requests]] | Missing]:
        """Ask for the requests, by rollout and arm."""
        return self._rates(promql.requests, answers.at_once(answers.RequestsByArm), sign=True)

    def latency(self) -> Awaitable[Mapping[str, Mapping[str, Histogram]] | Missing]:
        """Ask how long they took, by rollout and arm."""
        return self._rates(promql.latency, answers.at_once(answers.LatencyByArm), sign=True)

    def data_plane(self, unasked: Missing | None = None) -> DataPlaneQuestions:
        """Ask for what goes on inside the new arm; where `unasked` is given, for signs of a breach alone."""
        return DataPlaneQuestions.ask(self._rates, unasked)

    def _rates(self, query: QueryOf, parse: Callable[[Any], Parsed], *, sign: bool = False) -> Awaitable[Parsed | Missing]:
        """Ask what has gone on in the window of the criteria."""
        window = self._criteria.window
        about = self._about(_RATES, window)
        return self._vector(query(window, about.matcher), parse, about, sign=sign)

    def alerts(self) -> Awaitable[FiringAlerts | Missing]:
        """Ask which alerts fire."""
        # An alert that does not name the rollout is found by labels of any name, which are not spelt out in a query.
        about = self._about()
        matcher = "" if self._criteria.alerts.match_labels else about.matcher
        return self._vector(promql.alerts(matcher), answers.firing, about, sign=True)

    def lasting(self, counted_until: datetime | None) -> LastingQuestions:
        """Ask for what goes on for long: the counting windows after `counted_until`, memory, and the user's own queries."""
        counted = self.windows(counted_until)
        growth = self._criteria.memory_growth
        long = growth.sustained if growth.sustained_windows > 1 else None
        return LastingQuestions(
            windows=counted.of if counted else _no_windows,
            memory=self._memory(growth.window, MOST_SHARED_MEMORY_SECONDS),
            sustained_memory=self._memory(long, MOST_SHARED_MEMORY_SECONDS * growth.sustained_windows) if long else None,
            custom=self.custom(),
            odd=partial(self.odd, promql.counted_requests(self._criteria.counting())),
        )

    def _memory(self, window: timedelta, most_shared: float) -> Awaitable[Memory | Missing]:
        step, about = promql.memory_step(window), self._about(_MEMORY, window)
        query = promql.memory(about.matcher)

        async def ask(precedence: Precedence) -> Any:
            end, read = self._passage.clock.now(), answers.memory_by_rollout
            return await self._passage.door.over(
                self.server, query, end - window, end, step, read=read, precedence=precedence, claim=about.claim
            )

        # The largest answer of all, about what has grown over the window: until a part of it has passed it hardly changes.
        max_age = min(max(step, min(window.total_seconds() / _MEMORY_PARTS, self._interval)), most_shared)
        # Of a rollout that is not in it the pods may have come since.
        return self._parsed(
            self._key(query, ("memory", window)),
            query,
            ask,
            about,
            max_age=lambda found: max_age if self._rollout in found else self._max_age,
        )

    def windows(self, counted_until: datetime | None) -> Counted | None:
        """Ask for the counting windows that are over and not in the evidence yet, and maybe some before; None without any."""
        window = self._criteria.counting()
        most = MOST_WINDOWS
        if self._about(_COUNTED, window).claim is not None:
            # Asked for by itself, one that is behind would have its places taken by what it missed, and see nothing at all.
            most = min(most, max(WINDOWS_AT_ONCE, ceil(self._interval / window.total_seconds()) + 2))
        grid = Grid.after(counted_until, self._passage.clock.now(), window, most=most)
        if grid is None or counted_until is None:
            return None
        return Counted(
            grid,
            self._grown(promql.counted_requests, grid, answers.RequestsByArm),
            self._grown(promql.counted_latency, grid, answers.LatencyByArm),
            self._grown(promql.counted_fallbacks, grid, answers.NumberByRollout),
            self._grown(promql.counted_evaluations, grid, answers.LatencyByArm),
            self._grown(promql.counted_lookups, grid, answers.LatencyByArm),
            self._grown(promql.counted_comparisons, grid, answers.ResultsByRollout) if self._compares else None,
        )

    def _grown(
        self, query_of: QueryOf, grid: Grid, begin: Callable[[], Gathering[Parsed]]
    ) -> Awaitable[Mapping[float, Parsed] | Missing]:
        about = self._about(_COUNTED, grid.window)
        query, claim, now = query_of(grid.window, about.matcher), about.claim, self._passage.clock.now()

        def read(result: Any) -> Mapping[float, Parsed]:
            return answers.by_time(result, begin)

        def asked(part: Grid) -> Coming[Mapping[float, Parsed] | Missing]:
            step = round(part.window.total_seconds())

            async def ask(precedence: Precedence) -> Mapping[float, Parsed] | Missing:
                return await self._passage.door.over(
                    self.server, query, part.start, part.end, step, read=read, precedence=precedence, claim=claim
                )

            # Where a server's clock is behind, or samples come late, the latest windows look as if nobody had asked anything.
            # They are left out for as long as no later one shows somebody, and asked for again with that one: so an answer that
            # may have come too early is not shared with who knows of a later window.
            early = now - part.end < CLOCKS_MAY_DIFFER
            key = self._key(query, ("windows", part, grid.end if early else None))
            most = min(step, self._interval, MOST_SHARED_LATEST_SECONDS) if early else MOST_SHARED_WINDOWS_SECONDS
            return self._parsed(key, query, ask, about, max_age=lambda _: most)

        return _Together([asked(part) for part in (grid.blocks() if claim is None else grid.parts())])

    def odd(self, query: str, error: Exception) -> Missing:
        """Return that an answer cannot be reckoned with, whoever is to blame: it must not end the evaluations of all others."""
        self._passage.oddities.tell(self.server.shown, query, error)
        return Missing(INVALID, f"Prometheus at {self.server.shown}: the answer to {_short(query)} cannot be reckoned with")

    def custom(self) -> Mapping[str, Awaitable[float | Missing]]:
        """Ask the user's own queries, by name of the criterion."""
        own = Scope(claim=Claim(self._namespace, CUSTOM))
        return {each.name: self._vector(each.query, answers.number, own, alone=True) for each in self._criteria.custom}

    def key(self, query: str) -> Hashable:
        """Return which answer that to an instant query about all rollouts is."""
        return self._key(query, ("instant", False))

    def _key(self, query: str, kind: tuple[object, ...]) -> Hashable:
        return (self.server, query, *kind)

    def _vector(
        self, query: str, parse: Callable[[Any], Parsed], about: Scope, *, alone: bool = False, sign: bool = False
    ) -> Awaitable[Parsed | Missing]:
        """Ask an instant query, and return what gives its parsed answer; one number is read from it when it stands `alone`."""

        async def ask(precedence: Precedence) -> Any:
            return await self._passage.door.instant(self.server, query, read=parse, precedence=precedence, claim=about.claim)

        return self._instant(query, ask, about, alone=alone, sign=sign)

    def _instant(
        self, query: str, ask: _Ask, about: Scope, *, alone: bool = False, sign: bool = False
    ) -> Coming[Any | Missing]:
        """Ask, and note when."""
        coming = self._parsed(self._key(query, ("instant", alone)), query, ask, about, sign=sign)
        self.asked_at = min(self.asked_at, coming.asked_at)
        return coming

    def _parsed(
        self,
        key: Hashable,
        query: str,
        ask: _Ask,
        about: Scope,
        *,
        max_age: Callable[[Any], float] = lambda _: 0.0,
        sign: bool = False,
    ) -> Coming[Any | Missing]:
        """Ask, and return what gives that which was read from the answer. It is read once, not once for each rollout.

        `max_age` says how old an answer may be, if that is older than others. One that was long in coming may be as old again
        as it was when it came: whoever is busy with answers would else ask for the next when the last has come, and do nothing
        but read. It also goes on for about as long as the next one takes, so that the evaluations due by then need not wait for
        that. What could not be seen is soon looked for again, and waited for.

        A `sign` of a breach is asked for as often as ever however long it took, and read before all others: it must not be what
        comes last to an operator that is behind.
        """
        sign = sign and about.claim is None

        async def answer(precedence: Precedence) -> Any | Missing:
            try:
                found = await ask(Precedence.SIGN if sign else precedence)
            except AnswerError as error:
                return Missing(INVALID, f"Prometheus at {self.server.shown}: the answer to {_short(query)} {error}")
            except ODD as error:
                return self.odd(query, error)
            if not isinstance(found, Missing):
                self._passage.tripwires.came(key, found)
            return found

        def good_for(found: Any | Missing, took: float) -> float:
            if isinstance(found, Missing):
                return self._max_age
            busy = 0.0 if sign else min(2 * took, self._interval, MOST_SHARED_BUSY_SECONDS)
            return max(self._max_age, max_age(found), busy)

        def meanwhile(found: Any | Missing, took: float) -> float:
            if isinstance(found, Missing):
                return 0.0
            return GLIMPSE_SECONDS if self._at_once else min(2 * took, self._meanwhile)

        kept = self._passage.answers if about.claim is None else self._passage.own
        return kept.get(
            key,
            self._max_age,
            partial(answer, Precedence.AWAITED),
            good_for,
            meanwhile=meanwhile,
            renew=partial(answer, Precedence.RENEWED),
            keep=self._max_age + GLIMPSE_SECONDS if sign else 0.0,
        )


def is_about_alerts(key: Hashable) -> bool:
    """Return whether the answer under `key` tells which alerts fire."""
    return isinstance(key, tuple) and promql.asks_for_alerts(key[1])


@dataclass(frozen=True, slots=True)
class Ages:
    """How old what a server knows is, and how far its clock is ahead."""

    seconds: Mapping[str, float]
    """Age of the newest sample by rollout."""
    clock_ahead: timedelta


def clock_ahead(at: float | None, asked: datetime, answered: datetime) -> timedelta:
    """Return how far the clock of a server is ahead at least, whose present was `at` (Unix seconds) between the two instants.

    How long the question was on its way to it nobody knows, so what may be the way alone is no difference.
    """
    if at is None or not isfinite(at):
        return timedelta(0)
    earliest, latest = at - answered.timestamp(), at - asked.timestamp()
    return timedelta(seconds=max(earliest, 0.0) + min(latest, 0.0))


@dataclass(frozen=True, slots=True)
class Counted:
    """The questions about counting windows, all of which have been asked."""

    grid: Grid
    requests: Awaitable[Mapping[float, Mapping[str, Mapping[str, Requests]]] | Missing]
    latency: Awaitable[Mapping[float, Mapping[str, Mapping[str, Histogram]]] | Missing]
    fallbacks: Awaitable[Mapping[float, Mapping[str, float]] | Missing]
    evaluations: Awaitable[Mapping[float, Mapping[str, Mapping[str, Histogram]]] | Missing]
    lookups: Awaitable[Mapping[float, Mapping[str, Mapping[str, Histogram]]] | Missing]
    compared: Awaitable[Mapping[float, Mapping[str, Mapping[str, float]]] | Missing] | None

    async def of(self, rollout: str) -> tuple[CountedWindow, ...] | Missing:
        """Return the windows of `rollout`."""
        requests, latency, fallbacks = await self.requests, await self.latency, await self.fallbacks
        evaluations, lookups = await self.evaluations, await self.lookups
        compared = await self.compared if self.compared else {}
        for part in (requests, latency, fallbacks, evaluations, lookups, compared):
            if isinstance(part, Missing):
                return part  # these windows are asked for again: none is counted in parts
        plane = plane_windows(_of(rollout, fallbacks), _of(rollout, evaluations), _of(rollout, lookups), _of(rollout, compared))
        return counted_windows(self.grid, _of(rollout, requests), _of(rollout, latency), plane)


@dataclass(frozen=True, slots=True)
class _Together:
    """Answers about windows that follow each other, as one: missing where one of them is."""

    parts: Sequence[Coming[Any]]

    def __await__(self) -> Generator[Any, None, Mapping[float, Any] | Missing]:
        found: dict[float, Any] = {}
        for part in self.parts:
            answer = yield from part.__await__()
            if isinstance(answer, Missing):
                return answer
            found |= answer
        return found


async def _no_windows(_rollout: str) -> tuple[CountedWindow, ...]:
    return ()


def _short(query: str) -> str:
    return query if len(query) <= 160 else f"{query[:157]}..."  # noqa: PLR2004 - about two lines


def _of(rollout: str, found: Mapping[float, Mapping[str, Parsed]] | Missing) -> Mapping[float, Parsed]:
    if isinstance(found, Missing):
        return {}
    return {at: rollouts[rollout] for at, rollouts in found.items() if rollout in rollouts}
