"""The embedded engine's policies: compiled off the event loop, replaced when their source changes, never by worse ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sark_engine
import structlog
from sark_engine import Engine, Policies

from sark_sidecar import exact_json
from sark_sidecar.nudge import Nudge
from sark_sidecar.telemetry import Telemetry
from sark_sidecar.unforeseen import unforeseen

from .compilation import CompiledPolicies, compile_sources
from .source import PolicySource
from .sources import PolicySourceError, PolicySources
from .verdicts import PolicyVerdicts
from .written import check_names, written_over

log = structlog.get_logger()


async def first_policies(source: PolicySource, *, waits: bool, on_problem: Callable[[str], None]) -> CompiledPolicies:
    """Return the set to begin with: what the source has stored, else what it has.

    With `waits` a source that has nothing good is asked until it has, and `on_problem` is told why not.

    Raises:
        PolicySourceError: there is none, and `waits` is false.
    """
    if (stored := await source.stored()) is not None:
        return stored
    while True:
        try:
            compiled = await _loaded(source)
        except PolicySourceError as error:
            if not waits:
                raise
            on_problem(str(error))
            log.error("there are no policies yet", reason=str(error))  # noqa: TRY400 - the reason is the whole story
            await source.pause(failed=True)
            continue
        if compiled is not None:
            await source.serves(compiled)
            return compiled


async def _loaded(source: PolicySource) -> CompiledPolicies | None:
    try:
        return await source.load()
    except PolicySourceError:
        raise
    except Exception as error:
        log.exception("the source of the policies broke its reader")
        raise PolicySourceError(unforeseen(error)) from error


class EmbeddedPolicies:
    """The set in force, and the follower of its source."""

    def __init__(
        self, source: PolicySource, compiled: CompiledPolicies, *, written: Sequence[str] = (), max_memory_bytes: int = 1 << 30
    ) -> None:
        """Begin with a set that compiled; `written` are names below `data` that clients write and the source must not have.

        Raises:
            PolicySourceError: the source has one of them.
        """
        check_names(written, compiled.sources, compiled.policies.packages)
        self._source = source
        self._names = written
        self._max_memory_bytes = max_memory_bytes
        self._replacing = asyncio.Lock()
        self._own = compiled
        """What the source has, without what clients wrote."""
        self._documents: Mapping[str, Any] = {}
        self._spelled = exact_json.dumps({})
        self._compiled = compiled
        self._failed = False
        self.nudge = Nudge()
        """Makes it look at once."""
        self._report(compiled)
        self.since = datetime.now(UTC)
        """Since when this set serves."""
        self.problem = ""
        """Why what the source has now does not serve; empty when it does."""

    @property
    def policies(self) -> Policies:
        """The compiled set in force."""
        return self._compiled.policies

    @property
    def sources(self) -> PolicySources:
        """What it was made from."""
        return self._compiled.sources

    @property
    def verdicts(self) -> PolicyVerdicts:
        """What of it the engine answers for."""
        return self._compiled.verdicts

    @property
    def label(self) -> str:
        """The revision its bundle gives itself."""
        return self._compiled.label

    def source_status(self) -> Mapping[str, Any]:
        """Return what is known of the source."""
        return {**self._source.status(), "ignored": self._compiled.ignored[:100]}

    async def follow(self, engine: Engine, telemetry: Telemetry) -> None:
        """Replace the engine's policies whenever the source has others; run until cancelled."""
        while True:
            await self.nudge.cut(self._source.pause(failed=self._failed))
            await self.look(engine, telemetry)

    async def lay_over(self, engine: Engine, documents: Mapping[str, Any]) -> None:
        """Serve these documents, by their names below `data`, beside what the source has.

        Raises:
            PolicySourceError: they cannot be served; what served before goes on.
        """
        try:
            spelled = exact_json.dumps(dict(documents))
        except exact_json.JsonError as error:
            raise PolicySourceError(f"written documents: {error}") from error
        async with self._replacing:
            if spelled != self._spelled:
                await self._put_in_force(engine, await self._joined(self._own, documents))
                self._documents, self._spelled = documents, spelled

    async def _joined(self, own: CompiledPolicies, documents: Mapping[str, Any]) -> CompiledPolicies:
        if not documents:
            return own
        return await asyncio.to_thread(
            compile_sources,
            written_over(own.sources, documents),
            max_memory_bytes=self._max_memory_bytes,
            label=own.label,
            ignored=own.ignored,
        )

    async def look(self, engine: Engine, telemetry: Telemetry) -> None:
        """Compare the source with what serves once, and act on a difference. Whatever it holds, the next look is made."""
        try:
            compiled = await self._source.load()
            if compiled is not None:
                await self._replace(engine, compiled)
                await self._source.serves(compiled)
            self._failed = False
            self.problem = ""
        except (PolicySourceError, sark_engine.EngineError) as error:
            self._refused(str(error), None, telemetry)
        except Exception as error:  # noqa: BLE001 - what serves goes on serving, and a fleet reads the same
            self._refused(unforeseen(error), error, telemetry)
        telemetry.policies_stale(stale=self._failed)

    def _refused(self, reason: str, fault: Exception | None, telemetry: Telemetry) -> None:
        """Count and tell it, unless it is as at the last look; `fault` is one that nobody foresaw."""
        self._failed = True
        if reason != self.problem:
            telemetry.policies_refused()
            log.error(
                "policies not replaced; the last good ones serve",
                reason=reason,
                revision=self.policies.revision,
                exc_info=fault,
            )
        self.problem = reason

    async def _replace(self, engine: Engine, own: CompiledPolicies) -> None:
        check_names(self._names, own.sources, own.policies.packages)
        async with self._replacing:
            await self._put_in_force(engine, await self._joined(own, self._documents))
            self._own = own

    async def _put_in_force(self, engine: Engine, compiled: CompiledPolicies) -> None:
        if compiled.sources.digest == self.sources.digest:
            self._compiled = compiled
            return
        await asyncio.to_thread(engine.replace_policies, compiled.policies)
        self._compiled, self.since = compiled, datetime.now(UTC)
        log.info("policies replaced", revision=self.policies.revision, label=self.label, modules=len(self.sources.modules))
        self._report(compiled)

    @staticmethod
    def _report(compiled: CompiledPolicies) -> None:
        for sentence in compiled.ignored[:20]:
            log.warning("part of the bundle is not used", reason=sentence)
        compiled.verdicts.warn()
