"""Takes drawn requests from the data plane and has them judged: so many at a time, so many a second, never waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog

from .findings import Findings
from .judgement import Drawn, Judge, Suspicion, Unknown
from .pace import Pace

log = structlog.get_logger()
POLL_SECONDS = 0.05
IDLE_SECONDS = 0.5
BATCH = 32
MAX_SUSPICIONS = 128
"""Differences that wait for the next look at OPA; more are counted as dropped."""
_FAILED = Unknown("sidecar", "failed")


class DrawnRequests(Protocol):
    """The part of the data plane that hands out drawn requests, and shows what waits."""

    def take_drawn(self, limit: int = BATCH) -> Sequence[Drawn]:
        """Take some without blocking."""

    def show_unconfirmed(self, differences: int) -> None:
        """Show how many differences are in no count yet."""


class Shadow:
    """The shadow of one sidecar."""

    def __init__(
        self,
        source: DrawnRequests,
        judge: Judge,
        findings: Findings,
        *,
        concurrency: int,
        pace: Pace,
        sample: Callable[[], int],
    ) -> None:
        """At most `concurrency` comparisons run at a time, at the `pace`; `sample` is the share drawn now, in percent."""
        self._source = source
        self._judge = judge
        self._findings = findings
        self._concurrency = concurrency
        self._pace = pace
        self._sample = sample
        self._suspicions: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Compare until cancelled."""
        queue: asyncio.Queue[Drawn] = asyncio.Queue(self._concurrency)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._concurrency):
                    group.create_task(self._work(queue))
                await self._take(queue)
        finally:
            for task in self._suspicions:
                task.cancel()

    def status(self) -> dict[str, Any]:
        """Return the part of the status page."""
        return {"sample_percentage": self._sample(), "waiting_for_opa": len(self._suspicions), **self._findings.status()}

    async def _take(self, queue: asyncio.Queue[Drawn]) -> None:
        while True:
            drawn = self._source.take_drawn(BATCH)
            for one in drawn:
                await asyncio.sleep(self._pace.wait(time.monotonic()))
                await queue.put(one)
            if not drawn:
                await asyncio.sleep(POLL_SECONDS if self._sample() else IDLE_SECONDS)

    async def _work(self, queue: asyncio.Queue[Drawn]) -> None:
        while True:
            drawn = await queue.get()
            try:
                await self._compare(drawn)
            except Exception:
                log.exception("a comparison failed", path=drawn.path)
                self._findings.add(drawn, _FAILED)

    async def _compare(self, drawn: Drawn) -> None:
        judged = await self._judge.judge(drawn)
        if not isinstance(judged, Suspicion):
            self._findings.add(drawn, judged)
        elif len(self._suspicions) >= MAX_SUSPICIONS:
            self._findings.drop(drawn)
        else:
            task = asyncio.get_running_loop().create_task(self._confirm(drawn, judged))
            self._suspicions.add(task)
            self._show_unconfirmed()
            task.add_done_callback(self._confirmed)

    async def _confirm(self, drawn: Drawn, suspicion: Suspicion) -> None:
        try:
            self._findings.add(drawn, await self._judge.confirm(suspicion))
        except Exception:
            log.exception("a difference could not be confirmed", path=drawn.path)
            self._findings.add(drawn, _FAILED)

    def _confirmed(self, task: asyncio.Task[None]) -> None:
        # After it was counted: in between it is in both, and never in neither.
        self._suspicions.discard(task)
        self._show_unconfirmed()

    def _show_unconfirmed(self) -> None:
        self._source.show_unconfirmed(len(self._suspicions))
