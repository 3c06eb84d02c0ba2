"""Takes decisions from the data plane and hands them to the sinks; none of them is waited for."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

import structlog

log = structlog.get_logger()
BATCH = 256
POLL_SECONDS = 0.05
FINISH_SECONDS = 5.0
"""How long the last events may take to be written and sent after the last request."""


class LoggedDecisions(Protocol):
    """The part of the data plane that hands out decisions."""

    def take_logged(self, limit: int = BATCH) -> list[bytes] | None:
        """Take some as events; None when none waits."""

    def name_bundles(self, revision: str, bundles: str) -> None:
        """Name the bundles of a policy revision."""

    def count_unlogged(self, reason: str, events: int = 1) -> None:
        """Count what is lost."""


class Sink(Protocol):
    """Where events go."""

    @property
    def name(self) -> str: ...  # noqa: D102

    def offer(self, events: list[bytes]) -> None:
        """Let events wait."""

    async def run(self) -> None:
        """Work until cancelled."""

    async def finish(self) -> None:
        """Return when nothing waits."""

    def stop(self) -> None:
        """Let threads end."""

    def pending(self) -> int:
        """Return how many events wait."""

    def status(self) -> dict[str, Any]:
        """Return the part of the status page."""


class Losses:
    """Counts events that are lost, for the metrics and the status."""

    def __init__(self, source: LoggedDecisions) -> None:
        """The data plane has the metrics."""
        self._source = source
        self.by_reason: Counter[str] = Counter()

    def __call__(self, reason: str, events: int) -> None:
        """Count them."""
        if not self.by_reason[reason]:
            log.warning("decisions are missing in a decision log", reason=reason, events=events)
        self.by_reason[reason] += events
        self._source.count_unlogged(reason, events)


class DecisionLogs:
    """The decision log of one sidecar."""

    def __init__(
        self, source: LoggedDecisions, sinks: list[Sink], losses: Losses, *, bundle: Callable[[], tuple[str, str, str]]
    ) -> None:
        """`bundle` returns the policy revision that serves, and name and revision of its bundle (empty: no bundle)."""
        self._source = source
        self._sinks = sinks
        self._losses = losses
        self._bundle = bundle
        self._named: tuple[str, str, str] | None = None
        self._events = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Take and hand on until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._tasks = [group.create_task(sink.run(), name=f"decision log to {sink.name}") for sink in self._sinks]
            while True:
                if not await self._move():
                    await asyncio.sleep(POLL_SECONDS)

    async def finish(self) -> None:
        """Hand on what was decided last and wait for the sinks, for a while; what is left then is lost and counted.

        It is called after the last request, while `run` still runs.
        """
        try:
            async with asyncio.timeout(FINISH_SECONDS):
                while await self._move():
                    pass
                await asyncio.gather(*(sink.finish() for sink in self._sinks))
        except TimeoutError:
            for sink in self._sinks:
                if left := sink.pending():
                    self._losses("unsent", left)
                    log.error(  # noqa: TRY400 - that the time is over says nothing
                        "decisions are lost: a sink of the decision log did not take them", sink=sink.name, events=left
                    )
        finally:
            for sink in self._sinks:
                sink.stop()

    def status(self) -> dict[str, Any]:
        """Return the part of the status page."""
        return {
            "events": self._events,
            "lost": dict(self._losses.by_reason),
            **{sink.name: sink.status() for sink in self._sinks},
        }

    async def _move(self) -> bool:
        """Hand a batch on; False when there was none."""
        self._name_bundle()
        events = await asyncio.to_thread(self._source.take_logged, BATCH)
        if events is None:
            return False
        self._events += len(events)
        for sink in self._sinks:
            sink.offer(events)
        return True

    def _name_bundle(self) -> None:
        named = self._bundle()
        if named == self._named:
            return
        self._named = named
        policy_revision, name, revision = named
        if name:
            self._source.name_bundles(policy_revision, json.dumps({name: {"revision": revision} if revision else {}}))
