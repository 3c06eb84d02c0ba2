"""One drawn request, judged: asks the side that did not answer it, compares, and asks again before it speaks of a mismatch.

A difference is only one while both sides serve the same policies. What OPA serves is known from looks at it, and it may change
between two of them; so a difference counts once a look that began after both decisions shows the same policies still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from .comparison import Difference, compare
from .documents import UNDEFINED
from .sides import Decided, Undecided, read_answer

_OK = 200
_BAD_REQUEST = 400
CONFIRMATION_SECONDS = 120.0
"""A look at OPA that has not come after so long does not come."""


class Skip(StrEnum):
    """Why decisions are not compared; the label values of the data plane."""

    REVISION = "revision"
    CHANGED = "changed"
    NONDETERMINISTIC = "nondeterministic"
    BASELINE_ONLY = "baseline_only"
    STALE = "stale"
    TOO_LARGE = "too_large"
    REFUSED = "refused"


class Drawn(Protocol):
    """An answered request; see sark_engine.Answered."""

    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def input(self) -> bytes | None: ...  # noqa: D102
    @property
    def arm(self) -> str: ...  # noqa: D102
    @property
    def decider(self) -> str: ...  # noqa: D102
    @property
    def fallback(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> int: ...  # noqa: D102
    @property
    def body(self) -> bytes: ...  # noqa: D102
    @property
    def result(self) -> str: ...  # noqa: D102
    @property
    def revision(self) -> str: ...  # noqa: D102


class Side(Protocol):
    """Decides anew."""

    async def decide(self, path: str, given: bytes | None) -> Decided | Undecided:
        """Return the decision of `path` for the input with this JSON text."""


@dataclass(frozen=True, slots=True)
class Match:
    """Both sides decide alike."""

    defined: bool
    document: Any = field(default=UNDEFINED, compare=False)
    """The decision."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A side could not decide."""

    side: str
    """`engine` or `opa`."""
    kind: str
    """One word."""
    reason: str = field(default="", compare=False)
    """A sentence, which may hold values of the input: for people who may see it."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not compared."""

    reason: Skip


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The sides differ, under the same policies."""

    difference: Difference
    engine: Decided
    opa: Decided
    revision: str


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A mismatch, if the policies of OPA are still these at its next look."""

    mismatch: Mismatch


Judgement = Match | Unknown | Skipped | Suspicion


@dataclass(frozen=True, slots=True)
class Policies:
    """What the sides serve, as far as is known now."""

    engine: Callable[[], str]
    """Revision of the engine's."""
    opa: Callable[[], str]
    """Revision of OPA's; empty when it is not known."""
    is_deterministic: Callable[[str], bool]
    """Whether the same question about a path always has the same answer while policies and data stay."""
    look_again: Callable[[], asyncio.Future[None]]
    """A future that is done when a look at OPA that has not begun yet is over."""

    def common(self) -> str:
        """Return the revision both serve; empty when they do not, or it is not known."""
        revision = self.engine()
        return revision if revision == self.opa() else ""


class Judge:
    """Judges drawn requests."""

    def __init__(self, engine: Side, opa: Side, policies: Policies) -> None:
        """Take the sides and what is known of their policies."""
        self._engine = engine
        self._opa = opa
        self._policies = policies

    async def judge(self, drawn: Drawn) -> Judgement:
        """Return what comes of comparing both sides on `drawn`."""
        if (settled := self._without_asking(drawn)) is not None:
            return settled
        revision = self._policies.common()
        engine, opa = await asyncio.gather(self._engine_on(drawn), self._opa_on(drawn))
        judged = self._compare(engine, opa, revision)
        if isinstance(judged, Suspicion) and drawn.decider == "opa":
            # It may have been kept, and OPA may have learned something since.
            fresh = self._compare(engine, await self._opa.decide(drawn.path, drawn.input), revision)
            judged = Skipped(Skip.STALE) if isinstance(fresh, Match) else fresh
        if not isinstance(judged, Unknown) and self._policies.common() != revision:
            return Skipped(Skip.CHANGED)
        return judged

    async def confirm(self, suspicion: Suspicion) -> Mismatch | Skipped:
        """Wait until OPA has been looked at once more, and return what the suspicion has become."""
        try:
            async with asyncio.timeout(CONFIRMATION_SECONDS):
                await self._policies.look_again()
        except TimeoutError:
            return Skipped(Skip.REVISION)
        still = self._policies.common() == suspicion.mismatch.revision
        return suspicion.mismatch if still else Skipped(Skip.CHANGED)

    def _without_asking(self, drawn: Drawn) -> Unknown | Skipped | None:
        if (failed := _failure(drawn)) is not None:
            return failed
        revision = self._policies.common()
        if not revision:
            return Skipped(Skip.REVISION)
        if drawn.decider == "engine" and drawn.revision != revision:
            return Skipped(Skip.CHANGED)
        return None if self._policies.is_deterministic(drawn.path) else Skipped(Skip.NONDETERMINISTIC)

    async def _engine_on(self, drawn: Drawn) -> Decided | Undecided:
        # The engine's own answer is what it says: a cache in process that were wrong would be the engine's fault.
        return read_answer(drawn.body) if drawn.decider == "engine" else await self._engine.decide(drawn.path, drawn.input)

    async def _opa_on(self, drawn: Drawn) -> Decided | Undecided:
        return read_answer(drawn.body) if drawn.decider == "opa" else await self._opa.decide(drawn.path, drawn.input)

    @staticmethod
    def _compare(engine: Decided | Undecided, opa: Decided | Undecided, revision: str) -> Judgement:
        if isinstance(engine, Undecided):
            return Skipped(Skip.BASELINE_ONLY) if engine.by_design else Unknown("engine", engine.kind, engine.reason)
        if isinstance(opa, Undecided):
            return Unknown("opa", opa.kind, opa.reason)
        difference = compare(engine.document, opa.document)
        if difference is None:
            return Match(defined=engine.document is not UNDEFINED, document=engine.document)
        return Suspicion(Mismatch(difference, engine, opa, revision))


def _failure(drawn: Drawn) -> Unknown | Skipped | None:
    """What an answer that holds no decision comes to; None when it holds one."""
    if drawn.status == _BAD_REQUEST or drawn.fallback == "unsupported_parameter":
        return Skipped(Skip.REFUSED)
    if drawn.fallback:
        by_design = drawn.fallback == "unsupported_builtin"
        return Skipped(Skip.BASELINE_ONLY) if by_design else Unknown("engine", drawn.fallback)
    if drawn.status != _OK:
        return Unknown("opa" if drawn.decider == "opa" else "engine", f"status_{drawn.status}")
    return Unknown("engine", "evaluation") if drawn.result == "error" else None
