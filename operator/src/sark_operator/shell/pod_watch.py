"""Following the pods of the namespaces that have rollouts, instead of asking for them at every evaluation.

With a thousand rollouts the lists of pods were a third of what the API server was asked. Whoever asks while nothing vouches for
what the watch has shown, because it has not begun, has broken off or may not be opened, asks the API server itself, as all
did before.

What is vouched for may be older than the API server's own answer by what an event needs to arrive; where a connection has died
without a word, by one watch at most. A tick whose API server is away does not get so far: it begins with reading its rollout. A
pod that is gone does not confirm when it is asked, and one that has not been seen yet follows the same flags as the others.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

import structlog

from sark_operator.shell.api import ClusterError, ReadyPod, RefusedError, UnavailableError
from sark_operator.shell.clock import Clock
from sark_operator.shell.pods import MAX_PODS, EventError, ExpiredError, Pods, SeenPod, too_many

WATCH_SECONDS: Final = 60
"""A watch is renewed this often, so that one that fell silent is noticed."""
GRACE_SECONDS: Final = 10.0
"""How much longer than that it may take until it is."""
SHORTEST_SECONDS: Final = 1.0
"""A watch that ends sooner and has shown nothing was none: a server that does so would be asked without end, and believed."""
LIST_SECONDS: Final = 300.0
"""How long a watch goes on before all is listed anew. A server whose versions have gone back, as after etcd was restored, shows
nothing until they have caught up, and does not say so."""
IDLE_SECONDS: Final = 600.0
"""A namespace whose pods nobody has asked for in this time is not followed any more."""
MAX_NAMESPACES: Final = 128
"""Namespaces followed at once, each with a connection of its own. In all others pods are asked for."""
FIRST_RETRY_SECONDS: Final = 1.0
LONGEST_RETRY_SECONDS: Final = 60.0
REFUSED_RETRY_SECONDS: Final = 600.0
"""Who may not watch is told so for as long as nobody grants the right."""

_log = structlog.get_logger("sark.pods")


class Source(Protocol):
    """Where pods are asked for."""

    async def ready_pods(self, namespace: str, labels: Mapping[str, str]) -> Sequence[ReadyPod]:
        """Return the ready pods that carry all `labels`, by name, from the API server; raises `ClusterError`."""
        ...

    async def all_pods(self, namespace: str) -> tuple[Sequence[SeenPod], str]:
        """Return every ready pod of a namespace, and the version from which a watch goes on; raises `ClusterError`."""
        ...

    def pod_events(
        self, namespace: str, version: str, *, seconds: int, patience: float
    ) -> AbstractAsyncContextManager[AsyncIterator[Mapping[str, Any]]]:
        """Open the watch that goes on from `version` for so many `seconds`; raises `ClusterError`.

        A server that has not ended it after `patience` more has gone away without a word, which is a `ClusterError` too.
        """
        ...


class PodWatch:
    """The door to the pods."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._followed: dict[str, _Namespace] = {}
        self._listing = asyncio.Lock()
        self._closed = False

    async def ready_pods(self, namespace: str, labels: Mapping[str, str]) -> Sequence[ReadyPod]:
        """Return the ready pods that carry all `labels`, by name; raises `ClusterError`."""
        followed = self._followed.get(namespace)
        if followed is None and len(self._followed) < MAX_NAMESPACES and not self._closed:
            followed = self._followed[namespace] = _Namespace(namespace, self)
        found = followed.matching(labels) if followed else None
        if found is None:
            return await self._source.ready_pods(namespace, labels)
        if len(found) > MAX_PODS:
            raise too_many(labels)
        return found

    async def listed(self, namespace: str) -> tuple[Sequence[SeenPod], str]:
        """Return the pods of a namespace and their version; one namespace after another, for a list may be large."""
        async with self._listing:
            return await self._source.all_pods(namespace)

    def events(self, namespace: str, version: str) -> AbstractAsyncContextManager[AsyncIterator[Mapping[str, Any]]]:
        """Open the watch of a namespace's pods."""
        return self._source.pod_events(namespace, version, seconds=WATCH_SECONDS, patience=GRACE_SECONDS)

    def now(self) -> float:
        """Return monotonic seconds."""
        return self._clock.monotonic()

    def leave(self, namespace: str) -> None:
        """Forget a namespace that is not followed any more."""
        self._followed.pop(namespace, None)

    async def close(self) -> None:
        """Follow nothing any more, whoever still asks."""
        self._closed = True
        tasks = [followed.task for followed in self._followed.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Namespace:
    """One namespace that is followed until nobody asks any more."""

    def __init__(self, name: str, watch: PodWatch) -> None:
        self._name = name
        self._door = watch
        self._pods = Pods()
        self._listed_at = self._vouched_until = self._asked_at = watch.now()
        self._failures = 0
        # In a context of its own: it is followed for all, and stands in no line as the evaluation that happened to ask first.
        self.task = asyncio.create_task(self._follow(), name=f"pods of {name}", context=contextvars.Context())
        self.task.add_done_callback(lambda _: watch.leave(name))

    def matching(self, labels: Mapping[str, str]) -> Sequence[ReadyPod] | None:
        """Return the pods as the watch shows them, or None while nothing vouches for it."""
        self._asked_at = self._door.now()
        return self._pods.matching(labels) if self._asked_at < self._vouched_until else None

    async def _follow(self) -> None:
        while self._door.now() - self._asked_at < IDLE_SECONDS:
            try:
                await self._watch()
            except Exception as error:  # noqa: BLE001 - whatever it is, pods are asked for meanwhile, and it is tried again
                self._vouched_until = self._door.now()
                self._pods = Pods()
                self._failures += 1
                await asyncio.sleep(self._complained(error))

    async def _watch(self) -> None:
        """Follow the namespace for the length of one watch."""
        if not self._pods.version or self._door.now() - self._listed_at > LIST_SECONDS:
            self._listed_at = self._door.now()
            self._pods.replace(*await self._door.listed(self._name))
        async with self._door.events(self._name, self._pods.version) as events:
            opened_at = self._door.now()
            self._vouched_until = opened_at + WATCH_SECONDS + GRACE_SECONDS
            shown = False
            async for event in events:
                self._pods.take(event)
                self._failures, shown = 0, True
        if not shown and self._door.now() - opened_at < SHORTEST_SECONDS:
            raise UnavailableError(f"the watch of pods in namespace {self._name} ended at once")
        self._failures = 0

    def _complained(self, error: Exception) -> float:
        """Say what went wrong, and return how long to wait."""
        refused = isinstance(error, RefusedError)
        if isinstance(error, ExpiredError):
            _log.info("listing pods again", namespace=self._name, reason=str(error))
        elif not isinstance(error, (ClusterError, EventError)):
            _log.error("following pods failed unexpectedly", namespace=self._name, exc_info=error)
        elif self._failures == 1 or refused:
            _log.warning(
                "pods are asked for at every evaluation until they can be watched", namespace=self._name, problem=str(error)
            )
        longer = FIRST_RETRY_SECONDS * 2 ** min(self._failures - 1, 8)
        return REFUSED_RETRY_SECONDS if refused else min(LONGEST_RETRY_SECONDS, longer)
