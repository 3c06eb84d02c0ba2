"""What Prometheus says about one rollout, from questions shared by all rollouts of a server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import inf, isfinite
from typing import Any, Final, Protocol

from sark_api import reasons
from sark_api.spec import SarkRolloutSpec
from sark_operator.core.observation import ArmWindow, DataPlane, Histogram, Metrics, Missing
from sark_operator.core.tripwire import Tripwire
from sark_operator.shell import answers, promql
from sark_operator.shell.answers import Requests
from sark_operator.shell.audience import Audience
from sark_operator.shell.clock import Clock
from sark_operator.shell.counting import arm_windows
from sark_operator.shell.data_plane import data_plane_queries
from sark_operator.shell.lasting import missing
from sark_operator.shell.oddities import Oddities
from sark_operator.shell.prometheus import INVALID, Door, Server
from sark_operator.shell.prometheus_access import PrometheusServers, Servers
from sark_operator.shell.question import Ages, Passage, Question, is_about_alerts
from sark_operator.shell.shared_answers import SharedAnswers
from sark_operator.shell.tripwires import Tripwires

ABSENT: Final = reasons.METRICS_ABSENT.name
STALE: Final = reasons.METRICS_STALE.name
LEAST_STALE_SECONDS: Final = 5.0
_LEAST_SHARED_ALERTS_SECONDS: Final = 1.0


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
        unasked: Missing | None = None,
    ) -> Metrics:
        """Return what is known of `rollout` (namespace/name), with the counting windows after `counted_until`.

        `expected` says whether its sidecars have been told its name: until then there can be no series of it, and their absence
        is not a fault. `tripwire` is what wakes it before it is read again. `unasked` is why only that is asked for which may
        be the first to show a breach: requests, latencies, comparisons and alerts.
        """
        ...


class PrometheusMetrics:
    """`MetricsSource` on Prometheus servers, one cache of answers for all of them."""

    def __init__(self, door: Door, clock: Clock, servers: Servers | None = None, tripwires: Tripwires | None = None) -> None:
        """Ask through `door`; `servers` says with which credentials, none by default; `tripwires` are shown what comes."""
        self._servers: Servers = servers or PrometheusServers()
        self._clock = clock
        self._tripwires = tripwires or Tripwires(clock)
        self._answers: SharedAnswers[Any] = SharedAnswers(clock)
        self._own: SharedAnswers[Any] = SharedAnswers(clock)
        self._passage = Passage(door, self._answers, self._own, Audience(clock), self._tripwires, Oddities(), clock)
        self._forgot_at = -inf

    async def close(self) -> None:
        """End what is under way."""
        await self._answers.close()
        await self._own.close()
        self._passage.door.close()

    def forget_alerts(self) -> float:
        """Ask anew which alerts fire, whoever asks next: one has just begun or ended.

        At most once a second: else nothing is done, and the seconds are returned after which it may be. 0 when it is done.
        """
        now = self._clock.monotonic()
        if (left := self._forgot_at + _LEAST_SHARED_ALERTS_SECONDS - now) > 0:
            return left
        self._forgot_at = now
        for kept in (self._answers, self._own):
            kept.forget(is_about_alerts)
        return 0.0

    async def read(
        self,
        rollout: str,
        spec: SarkRolloutSpec,
        *,
        expected: bool,
        counted_until: datetime | None = None,
        tripwire: Tripwire | None = None,
        unasked: Missing | None = None,
    ) -> Metrics:
        """Ask everything at once; each part is missing for itself."""
        namespace = rollout.partition("/")[0]
        access = self._servers.access(spec.prometheus, namespace)
        if isinstance(access, Missing):
            if tripwire is not None:
                self._tripwires.remove(tripwire.uid)
            return unread(access, spec)
        server = Server(spec.prometheus.address, spec.prometheus.timeout.total_seconds(), access)
        question = Question(self._passage, rollout, spec, server, at_once=unasked is not None)
        if tripwire is not None:
            self._tripwires.put(tripwire, question.key)
        # All are asked before any is waited for. First the few without which nothing is seen, should they have to wait for
        # places, and then those about windows: their answers take longest.
        ages, requested, timed, firing = question.ages(), question.requests(), question.latency(), question.alerts()
        asked = unasked or question.lasting(counted_until)
        inside = question.data_plane(unasked)
        seen, claiming = unasked or question.scraped(), unasked or question.claimants()

        age, requests, latency = await ages, await requested, await timed
        lasting = missing(asked, spec) if isinstance(asked, Missing) else await asked.answers(rollout)
        plane, alerts = await inside.answers(), await firing
        scraped = seen if isinstance(seen, Missing) else await seen
        claimants = claiming if isinstance(claiming, Missing) else await claiming
        unseen = _unseen(rollout, spec, server, age, expected=expected)
        return Metrics(
            arms=unseen or _arms(rollout, requests, latency, server),
            memory=unseen or lasting.memory,
            sustained_memory=None if lasting.sustained_memory is None else unseen or lasting.sustained_memory,
            data_plane=plane.of(rollout, unseen),
            custom=lasting.custom,
            alerts=alerts if isinstance(alerts, Missing) else alerts.about(rollout, spec.criteria.alerts),
            queries=_queries(spec),
            windows=unseen or lasting.windows,
            scraped=_scraped(rollout, scraped) if expected else None,
            foreign=claimants if isinstance(claimants, Missing) else _foreign(claimants.get(rollout), namespace),
            age=timedelta(seconds=self._clock.monotonic() - question.asked_at),
            clock_ahead=timedelta(0) if isinstance(age, Missing) else age.clock_ahead,
        )


def _queries(spec: SarkRolloutSpec) -> dict[str, str]:
    """Return the query of each criterion; its answer about all rollouts has the numbers of this one, however it was asked."""
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
    lasting = missing(why, spec)
    return Metrics(
        arms=why,
        memory=lasting.memory,
        sustained_memory=lasting.sustained_memory,
        data_plane=plane,
        custom=custom,
        alerts=why,
        queries=_queries(spec),
        windows=lasting.windows,
    )


def _unseen(rollout: str, spec: SarkRolloutSpec, server: Server, age: Ages | Missing, *, expected: bool) -> Missing | None:
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
