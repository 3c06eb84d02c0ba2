"""Puts recorded requests to both arms: a stream in, a tally out, so many at a time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self

from sark_engine import Engine

from sark_sidecar.opa.client import OpaServer
from sark_sidecar.opa.view import OpaView
from sark_sidecar.policies.compilation import CompiledPolicies
from sark_sidecar.policies.source import policy_source
from sark_sidecar.policies.sources import PolicySourceError
from sark_sidecar.settings import Settings
from sark_sidecar.shadow.judgement import Judge, Policies
from sark_sidecar.shadow.sides import EngineSide, OpaSide

from .recording import Recorded, Unusable
from .tally import Tally

_BATCH = 256


class ReplayError(Exception):
    """The replay cannot start, or means nothing; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Question:
    """A recorded request as the judge sees it: asked of both sides anew."""

    path: str
    input: bytes | None
    arm: str = "rust"
    decider: str = "either"
    fallback: str = ""
    status: int = 200
    body: bytes = b""
    result: str = "allow"
    revision: str = ""


class Replay:
    """Both arms, with the policies of a sidecar's configuration in the engine."""

    def __init__(self, settings: Settings, *, concurrency: int) -> None:
        """Open nothing yet; `concurrency` requests are under way at a time."""
        self._settings = settings
        self._concurrency = concurrency
        self._stack = AsyncExitStack()
        self._compiled: CompiledPolicies | None = None

    async def __aenter__(self) -> Self:
        """Compile, and make sure that OPA serves the same.

        Raises:
            ReplayError: the policies do not compile, or OPA serves others or cannot be asked.
        """
        settings = self._settings
        try:
            compiled = await policy_source(settings.policies, lambda: None).load()
        except PolicySourceError as error:
            raise ReplayError(f"{settings.policies.source}: {error}") from error
        assert compiled is not None  # noqa: S101 - a source that was never asked has something new or fails
        self._compiled = compiled
        opa_settings = settings.opa.model_copy(update={"max_connections": self._concurrency})
        server = OpaServer(opa_settings, max_decision_bytes=settings.limits.max_decision_bytes)
        opa = await self._stack.enter_async_context(server)
        revision = compiled.policies.revision
        ours = (compiled.sources, revision)
        self._view = OpaView(opa, ours=lambda: ours, interval=settings.opa.poll_interval, telemetry=_Nowhere())
        try:
            await self._look("OPA serves other policies than this configuration: what differs would mean nothing")
        except ReplayError:
            await self._stack.aclose()
            raise
        engine = Engine(
            compiled.policies,
            evaluation_timeout_seconds=settings.limits.evaluation_timeout,
            evaluation_max_bytes=settings.limits.max_evaluation_bytes,
        )
        threads = ThreadPoolExecutor(settings.limits.evaluation_threads, thread_name_prefix="replay")
        self._stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        known = Policies(
            engine=lambda: revision,
            opa=lambda: self._view.revision,
            is_deterministic=self._is_deterministic,
            look_again=self._view.looked_anew,
        )
        self._judge = Judge(EngineSide(engine, threads), OpaSide(opa), known)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close connections and threads."""
        await self._stack.aclose()

    async def run(self, records: Iterable[Recorded | Unusable], tally: Tally, on_progress: Callable[[], None]) -> None:
        """Put every record to both arms; `on_progress` is called after each batch.

        Raises:
            ReplayError: OPA's policies changed meanwhile, so that what differs means nothing.
            RecordingError: a recording cannot be read.
        """
        places = asyncio.Semaphore(self._concurrency)
        reading = iter(records)
        while batch := await asyncio.to_thread(_take, reading):
            async with asyncio.TaskGroup() as group:
                for record in batch:
                    if isinstance(record, Unusable):
                        tally.set_aside(record)
                        continue
                    await places.acquire()
                    task = group.create_task(self._judge_one(record, tally))
                    task.add_done_callback(lambda _: places.release())
            on_progress()
        await self._look("the policies of OPA changed during the replay: what differs means nothing; run it again")

    async def _judge_one(self, record: Recorded, tally: Tally) -> None:
        judged = await self._judge.judge(Question(record.path, record.input))
        tally.add(record, judged)

    async def _look(self, otherwise: str) -> None:
        await self._view.look()
        if self._view.problem:
            raise ReplayError(f"OPA at {self._settings.opa.url}: {self._view.problem}")
        if not self._view.matches:
            ours = self._compiled.policies.revision if self._compiled else ""
            raise ReplayError(f"{otherwise} (engine {ours[:12]}, OPA {self._view.revision[:12]})")

    def _is_deterministic(self, path: str) -> bool:
        known = self._view.known
        return known is not None and known.graph.is_deterministic(tuple(segment for segment in path.split("/") if segment))


class _Nowhere:
    """There are no metrics of a command."""

    def policies_match(self, match: bool, *, opa_up: bool) -> None:
        """Show it to nobody."""


def _take(reading: Iterator[Recorded | Unusable]) -> list[Recorded | Unusable]:
    return list(itertools.islice(reading, _BATCH))
