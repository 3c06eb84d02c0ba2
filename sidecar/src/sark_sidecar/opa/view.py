"""What OPA serves, asked again and again: the revision of its policies and data, and which decisions may be kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import sark_engine
import structlog

from sark_sidecar import exact_json
from sark_sidecar.policies.sources import PolicySources
from sark_sidecar.unforeseen import unforeseen

from .base_data import DataTooScattered, assemble, base_paths
from .client import OpaFailure
from .lineage import Lineage
from .rule_graph import DataPath, RuleGraph, Subtrees, rule_graph

log = structlog.get_logger()
_MOST_OF_THE_TIME = 20
"""A look that takes long is repeated no sooner than after this many times its duration, up to the pause below."""
_LONGEST_PAUSE_SECONDS = 30.0
"""A single slow look, as in a busy start, must not leave a change of OPA's policies unseen for minutes."""

_OTHER_SHAPE = "OPA's answer to GET /v1/policies has a shape this version does not know"
_NOTHING = Subtrees(frozenset())
LONGEST_LOOK_SECONDS = 30.0
"""A look that takes longer has failed: what OPA served when it began says nothing about now."""
_T = TypeVar("_T")


class PolicyServer(Protocol):
    """The part of OPA that is asked here."""

    async def modules(self) -> bytes:
        """Return the answer of GET /v1/policies."""

    async def documents(self, paths: list[DataPath]) -> list[tuple[DataPath, Any]]:
        """Return the documents that exist."""


class MatchGauge(Protocol):
    """Where it is shown whether both arms serve the same policies."""

    def policies_match(self, match: bool, *, opa_up: bool) -> None:
        """Show it."""


class WrittenRefused(ValueError):  # noqa: N818 - a verdict on what was written
    """The embedded engine cannot be given what clients wrote into OPA."""


class WrittenDocuments(Protocol):
    """What clients write into OPA, and the embedded engine is given."""

    async def take_over(self, graph: RuleGraph) -> None:
        """Give the engine what OPA holds now. Raises OpaFailure or WrittenRefused."""

    def compared(self, *, equal: bool) -> None:
        """Take note whether both serve the same, as far as is known."""


@dataclass(frozen=True, slots=True)
class OpaPolicies:
    """OPA's policies at one moment."""

    revision: str
    graph: RuleGraph
    at: datetime
    kept_under: str = ""
    """What their decisions are kept under: the revision, and what stands for those before it."""
    trust: int = 0
    """Grows whenever it was not known for a while what OPA serves."""
    is_current: bool = True
    """Whether OPA could be asked the last time. What it decides while it cannot may be by others, and is not kept."""
    compared: Subtrees = _NOTHING
    """Where base data was read back: there, and nowhere else, the revision stands for it."""

    def may_be_kept(self, path: DataPath) -> bool:
        """Return whether decisions of `path` may be kept in a cache."""
        return self.graph.stays_with(path, self.compared)


class OpaView:
    """Follows one OPA server."""

    def __init__(
        self,
        server: PolicyServer,
        *,
        ours: Callable[[], tuple[PolicySources, str]],
        interval: float,
        telemetry: MatchGauge,
        memory: float = 3600.0,
        on_change: Callable[[], None] = lambda: None,
        written: WrittenDocuments | None = None,
        longest_look: float = LONGEST_LOOK_SECONDS,
    ) -> None:
        """`ours` returns the embedded engine's sources and revision; `interval` is in seconds.

        No decision is kept for `memory` seconds. `on_change` is called when OPA is seen to serve others than at the last look,
        or may have done so meanwhile.
        `written` takes over what clients wrote into OPA, before the two are compared.
        """
        self._server = server
        self._ours = ours
        self._interval = interval
        self._telemetry = telemetry
        self._lineage = Lineage(memory)
        self._on_change = on_change
        self._written = written
        self._longest_look = longest_look
        self._one_at_a_time = asyncio.Lock()
        self._took = 0.0
        """Seconds of the last look."""
        self._distrusted = 0
        self._known: OpaPolicies | None = None
        self._last = ""
        """The revision seen last."""
        self._was_away = False
        """Whether OPA could not be reached, or did not answer, since its policies were read last."""
        self.problem = "OPA has not been asked yet"
        """Why OPA's policies are unknown now; empty when they are known."""
        self._awaited: list[asyncio.Future[None]] = []

    @property
    def known(self) -> OpaPolicies | None:
        """The last policies seen; they stay when OPA goes away, so that decisions kept under them are still found."""
        return self._known

    @property
    def revision(self) -> str:
        """Revision of the policies OPA serves now; empty when it could not be asked the last time."""
        return self._known.revision if self._known is not None and not self.problem else ""

    @property
    def matches(self) -> bool:
        """Whether OPA serves what the embedded engine serves."""
        return self.revision == self._ours()[1]

    def looked_anew(self) -> asyncio.Future[None]:
        """Return a future that is done when a look that has not begun yet is over."""
        self._awaited.append(future := asyncio.get_running_loop().create_future())
        return future

    async def follow(self) -> None:
        """Ask for ever; run until cancelled."""
        while True:
            await self.look()
            # A look that failed soon was no work for OPA: waiting long after it would only mean to learn late that OPA is back.
            is_brief = self.problem and self._took < self._longest_look
            await asyncio.sleep(pause_after(0.0 if is_brief else self._took, interval=self._interval))

    def distrust(self, why: str) -> Callable[[], None]:
        """Know nothing of OPA's policies until a look that begins from now on is over: no decision is kept or found meanwhile.

        What is returned takes it back: for who then knows that nothing happened.
        """
        before = (self._known, self.problem)
        self._distrusted += 1
        distrusted = self._distrusted
        self._known, self.problem = None, why

        def take_back() -> None:
            if distrusted == self._distrusted and self._known is None:
                self._known, self.problem = before

        return take_back

    async def look(self) -> None:
        """Ask once; of several who want a look each gets one that began after they wanted it."""
        async with self._one_at_a_time:
            began = time.monotonic()
            failure = self._too_late()
            late = asyncio.get_running_loop().call_later(self._longest_look, self._miss, failure, str(failure))
            try:
                await self._look()
            finally:
                late.cancel()
            self._took = time.monotonic() - began

    def _too_late(self) -> OpaFailure:
        return OpaFailure("timeout", f"a look at OPA takes longer than {self._longest_look:g} s")

    async def _in_time(self, asked: Awaitable[_T], until: float) -> _T:
        try:
            async with asyncio.timeout_at(until):
                return await asked
        except TimeoutError as error:
            raise self._too_late() from error

    async def _look(self) -> None:
        before = self.revision
        awaited, self._awaited = self._awaited, []
        try:
            await self._learn()
            self._telemetry.policies_match(self.matches, opa_up=not self.problem)
            if self._written is not None:
                self._written.compared(equal=self.matches)
            if self.revision and self.revision != before:
                log.info("policies of OPA", revision=self.revision, match=self.matches)
        finally:
            for future in awaited:
                if not future.done():
                    future.set_result(None)

    async def _learn(self) -> None:
        """Read what OPA serves. Whatever it answers, the next look is made."""
        distrusted = self._distrusted
        try:
            known = await self._read()
            if distrusted == self._distrusted:
                self._know(known)
        except WrittenRefused as error:
            # OPA decides by what the engine cannot be given: what is kept under the revision before is out of date.
            if str(error) != self.problem:
                log.error("the embedded engine cannot be given what was written", reason=str(error))  # noqa: TRY400
            self._overtaken(str(error))
        except (OpaFailure, DataTooScattered, ValueError) as error:
            if str(error) != self.problem:
                log.warning("policies of OPA are unknown", reason=str(error))
            self._miss(error, str(error))
        except Exception as error:
            # Nothing is known of what OPA serves, so nothing it decides is kept or found; both arms go on answering.
            reason = unforeseen(error)
            if reason != self.problem:
                log.exception("policies of OPA are unknown", reason=reason)
            self._miss(error, reason)

    def _miss(self, error: Exception, reason: str) -> None:
        """Take note that it is not known now what OPA serves.

        Of an OPA that is away decisions kept before are still found, and none is kept. One that is there, and cannot be asked
        for its policies, may decide by others: none of its decisions is found either.
        """
        if isinstance(error, OpaFailure) and error.kind in {"connection", "timeout"}:
            self._was_away = True
            if self._known is not None:
                self._distrusted += 1
                self._known = replace(self._known, is_current=False)
                self.problem = reason
                return
        self._overtaken(reason)

    def _overtaken(self, why: str) -> None:
        """Know nothing, and let go of what is kept in process as well."""
        if self._known is not None:
            self._on_change()
        self.distrust(why)

    def _know(self, known: OpaPolicies) -> None:
        # Before it went away OPA may have decided by others that no look has seen, and what serves now was there before them.
        # Whether it went is remembered for itself: a client's write meanwhile lets go of what was known.
        was_away, self._was_away = self._was_away, False
        self._known, self.problem = known, ""
        if was_away or self._last not in {"", known.revision}:
            self._on_change()
        self._last = known.revision

    async def _read(self) -> OpaPolicies:
        until = asyncio.get_running_loop().time() + self._longest_look
        raw = await self._in_time(self._server.modules(), until)
        sources, graph = await asyncio.to_thread(_parse, raw)
        if self._written is not None:
            await self._written.take_over(graph)
        ours, _ = self._ours()
        paths = await asyncio.to_thread(base_paths, ours.data, graph)
        documents = await self._in_time(self._server.documents(paths), until)
        revision = await asyncio.to_thread(_revision, sources, ours.data, graph, documents)
        kept_under = f"{revision}{self._lineage.leading_to(revision)}"
        compared = Subtrees(frozenset(paths))
        return OpaPolicies(revision, graph, datetime.now(UTC), kept_under, self._distrusted, compared=compared)


def pause_after(took: float, *, interval: float) -> float:
    """Return how many seconds to wait after a look that took so many, where one every `interval` seconds is asked for."""
    return max(interval, min(_MOST_OF_THE_TIME * took, _LONGEST_PAUSE_SECONDS))


def _revision(sources: list[str], ours: dict[str, Any], graph: RuleGraph, documents: list[tuple[DataPath, Any]]) -> str:
    return sark_engine.policy_revision(sources, exact_json.dumps(assemble(ours, graph, documents)))


def _parse(raw: bytes) -> tuple[list[str], RuleGraph]:
    answer = exact_json.loads(raw)
    modules = (answer.get("result") or []) if isinstance(answer, dict) else None
    if not isinstance(modules, list):
        raise ValueError(_OTHER_SHAPE)  # noqa: TRY004 - of the answer, not of an argument
    try:
        sources = [module["raw"] for module in modules]
        graph = rule_graph(module["ast"] for module in modules)
    except (KeyError, TypeError) as error:
        raise ValueError(_OTHER_SHAPE) from error
    if not all(isinstance(source, str) for source in sources):
        raise ValueError(_OTHER_SHAPE)
    return sources, graph
