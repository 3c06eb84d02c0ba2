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
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

import structlog

from sark_operator.shell.api import ClusterError, ReadyPod, RefusedError
from sark_operator.shell.clock import Clock
from sark_operator.shell.pods import EventError, ExpiredError, Pods

WATCH_SECONDS: Final = 60
"""A watch is renewed this often, so that one that fell silent is noticed."""
GRACE_SECONDS: Final = 10.0
"""How much longer than that it may take until it is."""
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

    async def all_pods(self, namespace: str) -> tuple[Sequence[Mapping[str, Any]], str]:
        """Return every pod of a namespace, and the version from which a watch goes on; raises `ClusterError`."""
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

    async def ready_pods(self, namespace: str, labels: Mapping[str, str]) -> Sequence[ReadyPod]:
        """Return the ready pods that carry all `labels`, by name; raises `ClusterError`."""
        followed = self._followed.get(namespace)
        if followed is None and len(self._followed) < MAX_NAMESPACES:
            followed = self._followed[namespace] = _Namespace(namespace, self._source, self._clock, self._followed)
        found = followed.matching(labels) if followed else None
        return await self._source.ready_pods(namespace, labels) if found is None else found

    async def close(self) -> None:
        """Follow nothing any more."""
        tasks = [followed.task for followed in self._followed.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._followed.clear()


class _Namespace:
    """One namespace that is followed until nobody asks any more."""

    def __init__(self, name: str, source: Source, clock: Clock, followed: dict[str, _Namespace]) -> None:
        self._name = name
        self._source = source
        self._clock = clock
        self._pods = Pods()
        self._vouched_until = clock.monotonic()
        self._asked_at = clock.monotonic()
        self.task = asyncio.create_task(self._follow(), name=f"pods of {name}")
        self.task.add_done_callback(lambda _: followed.pop(name, None))

    def matching(self, labels: Mapping[str, str]) -> Sequence[ReadyPod] | None:
        """Return the pods as the watch shows them, or None while nothing vouches for it."""
        self._asked_at = self._clock.monotonic()
        return self._pods.matching(labels) if self._asked_at < self._vouched_until else None

    async def _follow(self) -> None:
        failures = 0
        while self._clock.monotonic() - self._asked_at < IDLE_SECONDS:
            try:
                await self._watch()
                failures = 0
            except ExpiredError as error:
                self._doubt()
                _log.info("listing pods again", namespace=self._name, reason=str(error))
                await asyncio.sleep(FIRST_RETRY_SECONDS)
            except Exception as error:  # noqa: BLE001 - whatever it is, pods are asked for meanwhile, and it is tried again
                self._doubt()
                failures += 1
                await asyncio.sleep(self._complained(error, failures))

    async def _watch(self) -> None:
        """Follow the namespace for the length of one watch."""
        if not self._pods.version:
            self._pods.replace(*await self._source.all_pods(self._name))
        events = self._source.pod_events(self._name, self._pods.version, seconds=WATCH_SECONDS, patience=GRACE_SECONDS)
        async with events as found:
            self._vouched_until = self._clock.monotonic() + WATCH_SECONDS + GRACE_SECONDS
            async for event in found:
                self._pods.take(event)

    def _doubt(self) -> None:
        """Let everybody ask for themselves until the pods have been listed anew."""
        self._vouched_until = self._clock.monotonic()
        self._pods = Pods()

    def _complained(self, error: Exception, failures: int) -> float:
        """Say what went wrong, and return how long to wait."""
        refused = isinstance(error, RefusedError)
        if not isinstance(error, (ClusterError, EventError)):
            _log.error("following pods failed unexpectedly", namespace=self._name, exc_info=error)
        elif failures == 1 or refused:
            _log.warning(
                "pods are asked for at every evaluation until they can be watched", namespace=self._name, problem=str(error)
            )
        return REFUSED_RETRY_SECONDS if refused else min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 8))
