"""Looking: everything one tick needs to know, asked for at once, each answer with what could not be seen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol

from sark_api import reasons
from sark_api.spec import SarkRolloutSpec
from sark_api.status import SarkRolloutStatus
from sark_operator.core.flag_document import readable_document
from sark_operator.core.lifecycle import wanted_percent
from sark_operator.core.observation import Filing, Metrics, Missing, Observation, ObservedFlags, PodReport
from sark_operator.core.tripwire import Tripwire
from sark_operator.core.verdicts.memory_growth import reckoned
from sark_operator.shell.api import ClusterError, ObjectMissingError, ReadyPod, RolloutObject
from sark_operator.shell.clock import Clock
from sark_operator.shell.directory import Directory
from sark_operator.shell.metrics import MetricsSource, unread
from sark_operator.shell.pieces import Pieces
from sark_operator.shell.rivalry import find_rival

HURRIED_SECONDS: Final = 1.0
"""How long metrics are waited for where the baseline is asked for, and the list of pods where it may be: it needs neither."""
NOT_WAITED_FOR: Final = "not waited for: the baseline is asked for"
UNASKED: Final = Missing(
    reasons.METRICS_TIMEOUT.name, reasons.METRICS_TIMEOUT.sentence(message="not waited for: a breach is in sight")
)
"""Why a glimpse has nothing that is never the first to show a breach."""


class Flags(Protocol):
    """Where the flags are: the part of `Cluster` that reads them."""

    async def read_flags(self, namespace: str, name: str) -> ObservedFlags:
        """Return the flags ConfigMap as it is now; raises `ObjectMissingError` when there is none."""
        ...


class Pods(Protocol):
    """Who tells which pods there are."""

    async def ready_pods(self, namespace: str, labels: Mapping[str, str]) -> Sequence[ReadyPod]:
        """Return the ready pods that carry all `labels`, by name."""
        ...


class Sidecars(Protocol):
    """Who tells what the sidecars apply."""

    async def reports(self, pods: Sequence[ReadyPod], port: int, namespace: str, *, hurried: bool) -> tuple[PodReport, ...]:
        """Return what every pod's sidecar says of itself; one that cannot be asked, or not soon if `hurried`, says so."""
        ...


class Observer:
    """Collects one `Observation`. It never raises for something that cannot be seen: that is an observation too."""

    def __init__(
        self,
        *,
        cluster: Flags,
        pods: Pods,
        sidecars: Sidecars,
        metrics: MetricsSource,
        directory: Directory,
        clock: Clock,
        version: str,
        filing: Callable[[str], Filing | None] = lambda _: None,
    ) -> None:
        self._cluster = cluster
        self._pods = pods
        self._sidecars = sidecars
        self._metrics = metrics
        self._directory = directory
        self._clock = clock
        self._version = version
        self._filing = filing
        self._pieces = Pieces()

    async def observe(self, rollout: RolloutObject, spec: SarkRolloutSpec, status: SarkRolloutStatus) -> Observation:
        """Return what is to be seen of `rollout` now; `status` says whether its sidecars have been told of it."""
        hurried = rollout.asks_back and wanted_percent(status) > 0  # later it is they who tell that the baseline is restored
        return await self._seen(rollout, spec, self._read(rollout, spec, status), hurried=hurried)

    async def glimpse(self, rollout: RolloutObject, spec: SarkRolloutSpec, status: SarkRolloutStatus) -> Observation:
        """Return what may be the first to show a breach; the rest is missing.

        It is no ground for anything else: where it shows none, nobody has looked.
        """
        return await self._seen(rollout, spec, self._signs(rollout, spec, status), hurried=True)

    async def _seen(
        self, rollout: RolloutObject, spec: SarkRolloutSpec, read: Awaitable[tuple[Metrics, float]], *, hurried: bool
    ) -> Observation:
        flags, pods, (metrics, came_at) = await asyncio.gather(
            self._flags(rollout, spec), self._reports(rollout, spec, hurried=hurried), read
        )
        # They have aged while the rest was waited for, and it is now that is decided.
        metrics = replace(metrics, age=metrics.age + timedelta(seconds=self._clock.monotonic() - came_at))
        document = readable_document(flags)
        near = self._directory.near(rollout, document.rollout if document else "")
        rival = find_rival(rollout, near, flags, self._clock.now())
        return Observation(
            flags=flags,
            pods=pods,
            metrics=metrics,
            rival=rival,
            operator_version=self._version,
            filing=self._filing(rollout.uid),
        )

    async def _signs(self, rollout: RolloutObject, spec: SarkRolloutSpec, status: SarkRolloutStatus) -> tuple[Metrics, float]:
        """Return what Prometheus says that may be the first to show a breach, and when it had, by the monotonic clock."""
        metrics = await self._metrics.read(rollout.key, spec, expected=status.flags is not None, unasked=UNASKED)
        return metrics, self._clock.monotonic()

    async def _read(self, rollout: RolloutObject, spec: SarkRolloutSpec, status: SarkRolloutStatus) -> tuple[Metrics, float]:
        """Return what Prometheus says, and when it had, by the monotonic clock."""
        try:
            async with asyncio.timeout(HURRIED_SECONDS if rollout.asks_back else None):
                metrics = await self._metrics.read(
                    rollout.key,
                    spec,
                    expected=status.flags is not None,
                    counted_until=status.counted_until or status.started_at,
                    tripwire=Tripwire.of(rollout.uid, rollout.key, spec, status, self._clock.now()),
                )
                came_at = self._clock.monotonic()
                await self._pieces.reckon(reckoned(spec.criteria.memory_growth, metrics.memory, metrics.sustained_memory))
        except TimeoutError:
            late = reasons.METRICS_TIMEOUT
            metrics, came_at = unread(Missing(late.name, late.sentence(message=NOT_WAITED_FOR)), spec), self._clock.monotonic()
        return metrics, came_at

    async def _flags(self, rollout: RolloutObject, spec: SarkRolloutSpec) -> ObservedFlags | Missing:
        try:
            return await self._cluster.read_flags(rollout.namespace, spec.target.flags_config_map)
        except ObjectMissingError as error:
            return Missing(reasons.FLAGS_CONFIG_MAP_MISSING.name, str(error))
        except ClusterError as error:
            return Missing(reasons.FLAGS_UNAVAILABLE.name, str(error))

    async def _reports(
        self, rollout: RolloutObject, spec: SarkRolloutSpec, *, hurried: bool
    ) -> tuple[PodReport, ...] | Missing:
        try:
            async with asyncio.timeout(HURRIED_SECONDS if hurried else None):
                pods = await self._pods.ready_pods(rollout.namespace, spec.target.match_labels)
        except ClusterError as error:
            return Missing(reasons.PODS_UNAVAILABLE.name, str(error))
        except TimeoutError:
            return Missing(reasons.PODS_UNAVAILABLE.name, "their list was not waited for: the baseline comes first")
        return await self._sidecars.reports(pods, spec.target.admin_port, rollout.namespace, hurried=hurried)
