"""Takes jobs from the data plane as the event loop learns of them, no more at once than are allowed to be under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, Protocol, TypeVar

import structlog

log = structlog.get_logger()
BATCH = 64
Job = TypeVar("Job")
Asked = TypeVar("Asked")
Job_co = TypeVar("Job_co", covariant=True)
Job_contra = TypeVar("Job_contra", contravariant=True)


class JobSource(Protocol[Job_co]):
    """The part of sark_engine.Server that hands out jobs."""

    @property
    def baseline_fd(self) -> int:
        """Readable while jobs wait."""

    def take_jobs(self, limit: int = BATCH) -> Sequence[Job_co]:
        """Take waiting jobs without blocking."""


class Arm(Protocol[Job_contra, Asked]):
    """Answers jobs."""

    async def begin(self, jobs: Sequence[Job_contra]) -> Sequence[Asked]:
        """Answer what can be answered at once; return the rest."""

    async def finish(self, asked: Asked) -> None:
        """Answer one of the rest."""


class Dispatcher(Generic[Job, Asked]):
    """One task for each batch, then one for each of its jobs that takes longer: a slow one holds up no other."""

    def __init__(
        self, source: JobSource[Job], arm: Arm[Job, Asked], *, concurrency: int, hangs: Callable[[], bool] = lambda: False
    ) -> None:
        """At most `concurrency` jobs are under way; the others wait in the data plane's own bounded queue.

        While `hangs` says that those under way wait for a server that does not answer, as many again are taken: they are
        answered at once, and must not wait behind the others.
        """
        self._source = source
        self._arm = arm
        self._concurrency = concurrency
        self._hangs = hangs
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening = False
        self._stopped = False

    @property
    def under_way(self) -> int:
        """Jobs taken and not yet answered."""
        return self._under_way

    def start(self) -> None:
        """Begin to take jobs."""
        asyncio.get_running_loop().add_reader(self._source.baseline_fd, self._take)
        self._listening = True

    async def stop(self) -> None:
        """Take no more jobs, and end those under way."""
        self._stopped = True
        self._pause()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self) -> None:
        room = self._room()
        if room <= 0:
            # The descriptor stays readable: listening on would spin.
            self._pause()
            return
        jobs = self._source.take_jobs(min(BATCH, room))
        if jobs:
            self._under_way += len(jobs)
            self._spawn(self._begin(jobs))

    async def _begin(self, jobs: Sequence[Job]) -> None:
        rest: Sequence[Asked] = ()
        try:
            rest = await self._arm.begin(jobs)
        except Exception:
            log.exception("a batch of requests was not answered; the data plane answers them with an error in time")
        finally:
            self._done(len(jobs) - len(rest))
        for asked in rest:
            self._spawn(self._finish(asked))

    async def _finish(self, asked: Asked) -> None:
        try:
            await self._arm.finish(asked)
        except Exception:
            log.exception("a request was not answered; the data plane answers it with an error in time")
        finally:
            self._done(1)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _done(self, jobs: int) -> None:
        self._under_way -= jobs
        self.resume()

    def resume(self) -> None:
        """Take jobs again if there is room by now."""
        if not self._listening and not self._stopped and self._room() > 0:
            self.start()

    def _room(self) -> int:
        return self._concurrency * (2 if self._hangs() else 1) - self._under_way

    def _pause(self) -> None:
        if self._listening:
            asyncio.get_running_loop().remove_reader(self._source.baseline_fd)
            self._listening = False
