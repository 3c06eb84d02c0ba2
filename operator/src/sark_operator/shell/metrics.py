"""What Prometheus says about one rollout, from questions shared by all rollouts of a server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from math import inf, isfinite
from typing import Any, Final, Protocol, TypeVar

from sark_api import reasons
from sark_api.spec import SarkRolloutSpec
from sark_operator.core.alerts import FiringAlerts
from sark_operator.core.observation import ArmWindow, CountedWindow, DataPlane, Histogram, MemorySeries, Metrics, Missing
from sark_operator.core.tripwire import Tripwire
from sark_operator.shell import answers, promql
from sark_operator.shell.answers import AnswerError, Requests, Sample
from sark_operator.shell.clock import Clock
from sark_operator.shell.counting import Grid, arm_windows, counted_windows, plane_windows
from sark_operator.shell.data_plane import DataPlaneQuestions, data_plane_queries
from sark_operator.shell.oddities import ODD, Oddities
from sark_operator.shell.prometheus import INVALID, Door, Server
from sark_operator.shell.prometheus_access import PrometheusServers, Servers
from sark_operator.shell.shared_answers import Coming, SharedAnswers
from sark_operator.shell.tripwires import Tripwires

ABSENT: Final = reasons.METRICS_ABSENT.name
STALE: Final = reasons.METRICS_STALE.name
LEAST_STALE_SECONDS = 5.0
MOST_SHARED_SECONDS = 5.0
"""An answer is shared between rollouts for this long, and for at most half of a rollout's interval."""
MOST_SHARED_MEMORY_SECONDS = 60.0
"""The same for resident memory, and at most the time between two of its points, or an eighth of its window and one interval."""
MOST_SHARED_WINDOWS_SECONDS = 15.0
"""The same for counting windows, and at most the length of one and one interval: they are over, and are counted once."""
MOST_SHARED_BUSY_SECONDS = 15.0
"""The same for answers that are long in coming, and at most one interval."""
MOST_MEANWHILE_SECONDS = 2.5
"""How long the last answer goes on beyond that while the next one is on its way: at most twice what it took, and at most a part
of an interval and of the window."""
_MEANWHILE_INTERVALS = 1 / 4
_MEANWHILE_WINDOWS = 1 / 10
_MEMORY_PARTS = 8
_LEAST_SHARED_SECONDS = 0.2
_LEAST_SHARED_ALERTS_SECONDS = 1.0

Parsed = TypeVar("Parsed")
_Memory = Mapping[str, tuple[MemorySeries, ...]]
"""Memory of each pod, by rollout."""


class MetricsSource(Protocol):
    """Where the proof comes from."""

    async def read(
        self,
        rollout: str,
        spec: SarkRolloutSpec,
        *,
        expected: bool,
        counted_until: datetime | None = None,
        tripwire: Tripwire | None = None,
    ) -> Metrics:
        """Return what is known of `rollout` (namespace/name), with the counting windows after `counted_until`.

        `expected` says whether its sidecars have been told its name: until then there can be no series of it, and their absence
        is not a fault. `tripwire` is what wakes it before it is read again.
        """
        ...


class PrometheusMetrics:
    """`MetricsSource` on Prometheus servers, one cache of answers for all of them."""

    def __init__(self, door: Door, clock: Clock, servers: Servers | None = None, tripwires: Tripwires | None = None) -> None:
        """Ask through `door`; `servers` says with which credentials, none by default; `tripwires` are shown what comes."""
        self._door = door
        self._servers: Servers = servers or PrometheusServers()
        self._clock = clock
        self._tripwires = tripwires or Tripwires(clock)
        self._answers: SharedAnswers[Any] = SharedAnswers(clock)
        self._oddities = Oddities()
        self._forgot_at = -inf

    async def close(self) -> None:
        """End what is under way."""
        await self._answers.close()
        self._door.close()

    def forget_alerts(self) -> float:
        """Ask anew which alerts fire, whoever asks next: one has just begun or ended.

        At most once a second: else nothing is done, and the seconds are returned after which it may be. 0 when it is done.
        """
        now = self._clock.monotonic()
        if (left := self._forgot_at + _LEAST_SHARED_ALERTS_SECONDS - now) > 0:
            return left
        self._forgot_at = now
        self._answers.forget(lambda key: isinstance(key, tuple) and promql.alerts() in key)
        return 0.0

    async def read(
        self,
        rollout: str,
        spec: SarkRolloutSpec,
        *,
        expected: bool,
        counted_until: datetime | None = None,
        tripwire: Tripwire | None = None,
    ) -> Metrics:
        """Ask everything at once; each part is missing for itself."""
        namespace = rollout.partition("/")[0]
        access = self._servers.access(spec.prometheus, namespace)
        if isinstance(access, Missing):
            if tripwire is not None:
                self._tripwires.remove(tripwire.uid)
            return unread(access, spec)
        server = Server(spec.prometheus.address, spec.prometheus.timeout.total_seconds(), access)
        question = _Question(
            self._door,
            self._answers,
            self._clock,
            spec,
            server,
            namespace=namespace,
            tripwires=self._tripwires,
            oddities=self._oddities,
        )
        if tripwire is not None:
            self._tripwires.put(tripwire, question.key)
        # All are asked before any is waited for, and first those about windows: their answers take longest.
        counted = question.windows(counted_until)
        ages, requested, timed = question.ages(), question.requests(), question.latency()
        grown, sustained = question.memory(rollout), question.sustained_memory(rollout)
        inside = DataPlaneQuestions.ask(question.vector, spec.criteria.window)
        numbers, seen, claiming, firing = question.custom(), question.scraped(), question.claimants(), question.alerts()

        age, requests, latency = await ages, await requested, await timed
        memory, long = _pods(rollout, await grown), _pods(rollout, await sustained) if sustained else None
        plane, custom = await inside.answers(), {name: _about(name, await number) for name, number in numbers.items()}
        scraped, claimants, alerts = await seen, await claiming, await firing
        try:
            windows = await counted.of(rollout) if counted else ()
        except ODD as error:
            windows = question.odd(promql.counted_requests(spec.criteria.counting()), error)
        unseen = _unseen(rollout, spec, question.server, age, expected=expected)
        return Metrics(
            arms=unseen or _arms(rollout, requests, latency, question.server),
            memory=unseen or memory,
            sustained_memory=unseen or long if sustained else None,
            data_plane=plane.of(rollout, unseen),
            custom=custom,
            alerts=alerts if isinstance(alerts, Missing) else alerts.about(rollout, spec.criteria.alerts),
            queries=_queries(spec),
            windows=unseen or windows,
            scraped=_scraped(rollout, scraped) if expected else None,
            foreign=claimants if isinstance(claimants, Missing) else _foreign(claimants.get(rollout), namespace),
            age=timedelta(seconds=self._clock.monotonic() - question.asked_at),
            clock_ahead=timedelta(0) if isinstance(age, Missing) else age.clock_ahead,
        )


def _queries(spec: SarkRolloutSpec) -> dict[str, str]:
    """Return the query of each criterion."""
    return {
        "errorRate": promql.requests(spec.criteria.window),
        "latencyP95": promql.latency(spec.criteria.window),
        "memoryGrowth": promql.memory(),
        "alerts": promql.alerts(),
        **data_plane_queries(spec.criteria.window),
        **{criterion.name: criterion.query for criterion in spec.criteria.custom},
    }


def unread(why: Missing, spec: SarkRolloutSpec) -> Metrics:
    """Return what is known when nothing was read: everything is missing, for one reason."""
    plane = DataPlane(fallbacks=why, evaluations=why, lookups=why, cpu=why, shadow=why)
    custom = {criterion.name: why for criterion in spec.criteria.custom}
    long = why if spec.criteria.memory_growth.sustained_windows > 1 else None
    return Metrics(
        arms=why,
        memory=why,
        sustained_memory=long,
        data_plane=plane,
        custom=custom,
        alerts=why,
        queries=_queries(spec),
        windows=why,
    )


class _Question:
    """The questions one tick of one rollout asks, shared with whoever asks the same."""

    def __init__(
        self,
        door: Door,
        shared: SharedAnswers[Any],
        clock: Clock,
        spec: SarkRolloutSpec,
        server: Server,
        *,
        namespace: str,
        tripwires: Tripwires,
        oddities: Oddities,
    ) -> None:
        self.server = server
        self._namespace = namespace
        self._tripwires = tripwires
        self._oddities = oddities
        self._door = door
        self._shared = shared
        self._clock = clock
        self._criteria = spec.criteria
        self._interval = spec.interval.total_seconds()
        self._meanwhile = min(
            MOST_MEANWHILE_SECONDS,
            self._interval * _MEANWHILE_INTERVALS,
            self._criteria.window.total_seconds() * _MEANWHILE_WINDOWS,
        )
        self.asked_at = clock.monotonic()
        """When the oldest answer to an instant query was asked for, monotonic seconds."""
        self._max_age = max(_LEAST_SHARED_SECONDS, min(self._interval / 2, MOST_SHARED_SECONDS))

    def ages(self) -> Awaitable[_Ages | Missing]:
        """Ask how old the newest samples are; the server tells its own time with it."""
        query = promql.sample_age()

        async def ask(*, awaited: bool) -> _Ages | Missing:
            before = self._clock.now()
            found = await self._door.instant(self.server, query, read=answers.ages, awaited=awaited)
            if isinstance(found, Missing):
                return found
            return _Ages(found.seconds, clock_ahead(found.at, before, self._clock.now()))

        return self._instant(query, ask)

    def scraped(self) -> Awaitable[Mapping[str, float] | Missing]:
        query = promql.scraped(self._criteria.window)
        return self.vector(query, lambda result: answers.number_by_rollout(answers.samples(result)))

    def claimants(self) -> Awaitable[Mapping[str, frozenset[str]] | Missing]:
        query = promql.claimants(self._criteria.window)
        return self.vector(query, lambda result: answers.namespaces_by_rollout(answers.samples(result)))

    def requests(self) -> Awaitable[Mapping[str, Mapping[str, Requests]] | Missing]:
        query = promql.requests(self._criteria.window)
        return self.vector(query, lambda result: answers.requests_by_arm(answers.samples(result)))

    def alerts(self) -> Awaitable[FiringAlerts | Missing]:
        return self.vector(promql.alerts(), answers.firing)

    def latency(self) -> Awaitable[Mapping[str, Mapping[str, Histogram]] | Missing]:
        query = promql.latency(self._criteria.window)
        return self.vector(query, lambda result: answers.latency_by_arm(answers.samples(result)))

    def memory(self, rollout: str) -> Awaitable[_Memory | Missing]:
        return self._memory(rollout, self._criteria.memory_growth.window, MOST_SHARED_MEMORY_SECONDS)

    def sustained_memory(self, rollout: str) -> Awaitable[_Memory | Missing] | None:
        """Ask for memory over all the windows growth must last; None where that is one."""
        settings = self._criteria.memory_growth
        if settings.sustained_windows == 1:
            return None
        return self._memory(rollout, settings.sustained, MOST_SHARED_MEMORY_SECONDS * settings.sustained_windows)

    def _memory(self, rollout: str, window: timedelta, most_shared: float) -> Awaitable[_Memory | Missing]:
        step = promql.memory_step(window)

        async def ask(*, awaited: bool) -> Any:
            end = self._clock.now()
            read = answers.memory_by_rollout
            return await self._door.over(self.server, promql.memory(), end - window, end, step, read=read, awaited=awaited)

        # The largest answer of all, about what has grown over the window: until a part of it has passed it hardly changes.
        max_age = min(max(step, min(window.total_seconds() / _MEMORY_PARTS, self._interval)), most_shared)
        # Of a rollout that is not in it the pods may have come since.
        key = self._key(promql.memory(), ("memory", window))
        return self._parsed(key, promql.memory(), ask, max_age=lambda found: max_age if rollout in found else self._max_age)

    def windows(self, counted_until: datetime | None) -> _Counted | None:
        """Ask for the counting windows that are over and not in the evidence yet, and maybe some before; None without any."""
        grid = Grid.after(counted_until, self._clock.now(), self._criteria.counting())
        if grid is None or counted_until is None:
            return None
        window = grid.window
        return _Counted(
            grid,
            self._grown(promql.counted_requests(window), grid, answers.requests_by_arm),
            self._grown(promql.counted_latency(window), grid, answers.latency_by_arm),
            self._grown(promql.counted_fallbacks(window), grid, answers.number_by_rollout),
            self._grown(promql.counted_evaluations(window), grid, answers.latency_by_arm),
            self._grown(promql.counted_lookups(window), grid, answers.latency_by_arm),
            # Asked for only where some may differ: else they are not weighed.
            self._grown(promql.counted_comparisons(window), grid, answers.results_by_rollout)
            if self._criteria.decision_mismatch.limit_parts_per_million
            else None,
        )

    def _grown(
        self, query: str, grid: Grid, parse: Callable[[list[Sample]], Parsed]
    ) -> Awaitable[Mapping[float, Parsed] | Missing]:
        def read(result: Any) -> Mapping[float, Parsed]:
            return {at: parse(found) for at, found in answers.by_time(result).items()}

        async def ask(*, awaited: bool) -> Mapping[float, Parsed] | Missing:
            step = round(grid.window.total_seconds())
            asked = [
                self._door.over(self.server, query, part.start, part.end, step, read=read, awaited=awaited)
                for part in grid.parts()
            ]
            # One is awaited by itself: gathered, it would be sent a turn of the loop later, behind all other questions.
            found: dict[float, Parsed] = {}
            for answer in await asyncio.gather(*asked) if len(asked) > 1 else [await asked[0]]:
                if isinstance(answer, Missing):
                    return answer
                found |= answer
            return found

        max_age = min(grid.window.total_seconds(), self._interval, MOST_SHARED_WINDOWS_SECONDS)
        return self._parsed(self._key(query, ("windows", grid)), query, ask, max_age=lambda _: max_age)

    def odd(self, query: str, error: Exception) -> Missing:
        """Return that an answer cannot be reckoned with, whoever is to blame: it must not end the evaluations of all others."""
        self._oddities.tell(self.server.shown, query, error)
        return Missing(INVALID, f"Prometheus at {self.server.shown}: the answer to {_short(query)} cannot be reckoned with")

    def custom(self) -> Mapping[str, Awaitable[float | Missing]]:
        owner = self._namespace
        return {each.name: self.vector(each.query, answers.number, owner=owner) for each in self._criteria.custom}

    def vector(self, query: str, parse: Callable[[Any], Parsed], *, owner: str = "") -> Awaitable[Parsed | Missing]:
        """Ask an instant query, and return what gives its parsed answer; `owner` is the namespace whose own question it is."""

        async def ask(*, awaited: bool) -> Any:
            return await self._door.instant(self.server, query, read=parse, awaited=awaited, owner=owner)

        return self._instant(query, ask, alone=bool(owner))

    def key(self, query: str, *, alone: bool = False) -> Hashable:
        """Return which answer that to an instant query is; `alone` says that one number is read from it, not one for each."""
        return self._key(query, ("instant", alone))

    def _key(self, query: str, kind: tuple[object, ...]) -> Hashable:
        return (self.server, query, *kind)

    def _instant(self, query: str, ask: Callable[..., Awaitable[Any]], *, alone: bool = False) -> Coming[Any | Missing]:
        """Ask, and note when."""
        coming = self._parsed(self.key(query, alone=alone), query, ask)
        self.asked_at = min(self.asked_at, coming.asked_at)
        return coming

    def _parsed(
        self,
        key: Hashable,
        query: str,
        ask: Callable[..., Awaitable[Any]],
        *,
        max_age: Callable[[Any], float] = lambda _: 0.0,
    ) -> Coming[Any | Missing]:
        """Ask, and return what gives that which was read from the answer. It is read once, not once for each rollout.

        `ask` is told whether the answer is awaited.

        `max_age` says how old an answer may be, if that is older than others. One that was long in coming may be as old again
        as it was when it came: whoever is busy with answers would else ask for the next when the last has come, and do nothing
        but read. It also goes on for about as long as the next one takes, so that the evaluations due by then need not wait for
        that. What could not be seen is soon looked for again, and waited for.
        """

        async def answer(*, awaited: bool) -> Any | Missing:
            try:
                found = await ask(awaited=awaited)
            except AnswerError as error:
                return Missing(INVALID, f"Prometheus at {self.server.shown}: the answer to {_short(query)} {error}")
            except ODD as error:
                return self.odd(query, error)
            if not isinstance(found, Missing):
                self._tripwires.came(key, found)
            return found

        def good_for(found: Any | Missing, took: float) -> float:
            if isinstance(found, Missing):
                return self._max_age
            return max(self._max_age, max_age(found), min(2 * took, self._interval, MOST_SHARED_BUSY_SECONDS))

        def meanwhile(found: Any | Missing, took: float) -> float:
            return 0.0 if isinstance(found, Missing) else min(2 * took, self._meanwhile)

        return self._shared.get(
            key,
            self._max_age,
            partial(answer, awaited=True),
            good_for,
            meanwhile=meanwhile,
            renew=partial(answer, awaited=False),
        )


@dataclass(frozen=True, slots=True)
class _Ages:
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
class _Counted:
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


def _about(criterion: str, value: float | Missing) -> float | Missing:
    """Return the number of a custom criterion, or what is missing with its name."""
    return replace(value, message=f"criterion {criterion}: {value.message}") if isinstance(value, Missing) else value


def _short(query: str) -> str:
    return query if len(query) <= 160 else f"{query[:157]}..."  # noqa: PLR2004 - about two lines


def _unseen(rollout: str, spec: SarkRolloutSpec, server: Server, age: _Ages | Missing, *, expected: bool) -> Missing | None:
    """Return why nothing that is said of the rollout can be trusted, or None when its samples are fresh."""
    if isinstance(age, Missing):
        return age
    seconds = age.seconds.get(rollout)
    if seconds is None:
        if not expected:
            return None
        return Missing(
            ABSENT,
            f'Prometheus at {server.shown} has no series with sark_rollout="{rollout}": '
            "check that it scrapes the sidecars' admin port",
        )
    limit = max(LEAST_STALE_SECONDS, spec.criteria.window / timedelta(seconds=2))
    if not seconds <= limit:  # a NaN is stale too
        return Missing(
            STALE,
            f'Prometheus at {server.shown} has no sample of sark_rollout="{rollout}" newer than {seconds:.0f} s '
            f"(at most {limit:.0f} s): check its targets",
        )
    return None


def _scraped(rollout: str, found: Mapping[str, float] | Missing) -> int | Missing | None:
    """Return how many sidecars are seen; None where their series do not tell."""
    if isinstance(found, Missing):
        return found
    number = found.get(rollout)
    return int(number) if number is not None and isfinite(number) else None


def _foreign(claimants: frozenset[str] | None, namespace: str) -> tuple[str, ...]:
    """Return the namespaces that are not the rollout's own."""
    return tuple(sorted((claimants or frozenset()) - {namespace}))


def _arms(
    rollout: str,
    requests: Mapping[str, Mapping[str, Requests]] | Missing,
    latency: Mapping[str, Mapping[str, Histogram]] | Missing,
    server: Server,
) -> Mapping[str, ArmWindow] | Missing:
    if isinstance(requests, Missing):
        return requests
    if isinstance(latency, Missing):
        return latency
    counted, timed = requests.get(rollout, {}), latency.get(rollout, {})
    if not answers.finite(counted.values(), timed.values()):
        problem = 'that are not finite, or a histogram without the bucket le="+Inf"'
        return Missing(INVALID, f'Prometheus at {server.shown} has numbers of sark_rollout="{rollout}" {problem}')
    return arm_windows(counted, timed)


def _pods(rollout: str, found: _Memory | Missing) -> tuple[MemorySeries, ...] | Missing:
    return found if isinstance(found, Missing) else found.get(rollout, ())


def _of(rollout: str, found: Mapping[float, Mapping[str, Parsed]] | Missing) -> Mapping[float, Parsed]:
    if isinstance(found, Missing):
        return {}
    return {at: rollouts[rollout] for at, rollouts in found.items() if rollout in rollouts}
