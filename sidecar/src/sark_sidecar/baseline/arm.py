"""Answers the requests that need OPA over HTTP, Redis, or both. Whatever goes wrong, the answer is never an allow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import orjson
import structlog
from sark_engine import EngineError, InputError

from sark_sidecar.opa import answer
from sark_sidecar.opa.answer import NO_STORE, UNDEFINED, Answer
from sark_sidecar.opa.client import OpaFailure
from sark_sidecar.opa.guarded import OpaNotAsked
from sark_sidecar.opa.question import BadQuestion, Question, parse_question
from sark_sidecar.opa.view import OpaPolicies

log = structlog.get_logger()
TURN_BYTES = 16_384
"""After so much was read of questions or of what is kept, everything else has its turn on the event loop."""


class Job(Protocol):
    """A request the data plane hands over; see sark_engine.BaselineJob."""

    @property
    def id(self) -> int: ...  # noqa: D102
    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def body(self) -> bytes:
        """The text of an input that is known to be JSON, as `{"input":...}`; empty when there is none."""

    @property
    def query(self) -> str: ...  # noqa: D102
    @property
    def opa(self) -> str: ...  # noqa: D102
    @property
    def cache(self) -> str: ...  # noqa: D102
    @property
    def fallback(self) -> str: ...  # noqa: D102


class Opa(Protocol):
    """Decides over HTTP."""

    async def decide(self, question: Question) -> Answer:
        """Return the answer, or raise OpaFailure or OpaNotAsked."""


class Decisions(Protocol):
    """Keeps decisions; never raises."""

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return what is kept under each key."""

    def keep(self, key: str, value: bytes, seconds: float, holds: Callable[[], bool]) -> None:
        """Keep a value made just now for so long, if `holds` is true after another look at OPA."""


class EmbeddedEngine(Protocol):
    """Decides in process."""

    def evaluate(self, path: str, input: bytes | None = None) -> bytes | None:  # noqa: A002 - the engine's word
        """Return the decision as JSON; None when undefined. Raise EngineError."""

    def cache_seconds(self, input: bytes | None = None, result: bytes | None = None) -> float:  # noqa: A002 - as above
        """Return how long a decision may be kept, by its class."""


class DataPlane(Protocol):
    """The part of sark_engine.Server that takes answers and observations."""

    def complete(
        self,
        job_id: int,
        status: int,
        body: bytes,
        *,
        outcome: str,
        cache_control: str = "",
        keep_seconds: float | None = None,
        was_kept: bool = False,
    ) -> bool:
        """Answer a job; in process its decision is kept for `keep_seconds` at most. `was_kept`: it comes from Redis."""

    def observe_evaluation(self, seconds: float, outcome: str, error_type: str = "") -> None:
        """Record an evaluation by HTTP OPA."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A job, the question in it, and where its decision may be kept."""

    job: Job
    question: Question
    key: str
    """Of Redis; empty when the decision must not be kept there."""
    keep_in_process: bool
    policies: OpaPolicies | None = None
    """OPA's when it was asked."""


class BaselineArm:
    """Answers jobs in two steps: `begin` for a batch, `finish` for each that no cache could answer."""

    def __init__(
        self,
        *,
        data_plane: DataPlane,
        opa: Opa,
        decisions: Decisions,
        engine: EmbeddedEngine,
        threads: Executor,
        opa_policies: Callable[[], OpaPolicies | None],
        embedded_revision: Callable[[], str],
        lifetimes: str,
    ) -> None:
        """Wire the parts.

        `threads` runs the embedded engine, whose evaluations may take longer than the loop can wait. `lifetimes` stands for the
        table by which decisions are kept: one kept by another table is not found.
        """
        self._data_plane = data_plane
        self._opa = opa
        self._decisions = decisions
        self._engine = engine
        self._threads = threads
        self._opa_policies = opa_policies
        self._embedded_revision = embedded_revision
        self._lifetimes = lifetimes

    async def begin(self, jobs: Sequence[Job]) -> list[Asked]:
        """Look all jobs up in one round trip, answer those found, and return the rest."""
        turns = _Turns()
        asked = []
        for job in jobs:
            body = job.body
            await turns.before(len(body))
            if (one := self._ask(job, body)) is not None:
                asked.append(one)
        keys = [one.key for one in asked if one.key]
        kept = dict(zip(keys, await self._decisions.get(keys), strict=True)) if keys else {}
        rest = []
        for one in asked:
            found = kept.get(one.key)
            await turns.before(len(found or b""))
            if not self._answer_from(one, found):
                rest.append(one)
        return rest

    async def finish(self, asked: Asked) -> None:
        """Evaluate, answer, and keep the decision where it may be kept."""
        try:
            decided = await (self._embedded(asked) if asked.job.opa == "rust" else self._over_http(asked.question))
        except Exception:
            log.exception("a request could not be answered", path=asked.job.path)
            decided = answer.error(500, "internal_error", "the sidecar failed to answer; see its log")
        holds = self._holding(asked)
        keep = decided.keep and holds()
        # The data plane keeps what it handed over for its own cache, unless told not to.
        withheld = asked.job.cache == "rust" and not (keep and asked.keep_in_process)
        seconds = self._lifetime(asked.question, decided) if keep else 0.0
        self._complete(asked.job, decided, NO_STORE if withheld else "", seconds)
        if asked.key and keep:
            self._decisions.keep(asked.key, _result(decided), seconds, holds)

    def _ask(self, job: Job, body: bytes) -> Asked | None:
        try:
            question = parse_question(job.path, body, job.query)
        except BadQuestion as error:
            self._complete(job, answer.error(400, "invalid_parameter", str(error)))
            return None
        policies = self._opa_policies()
        # How long a large one may be kept stands in its input, which nobody reads here.
        may_be_kept = question.is_canonical and not question.parameters
        if not may_be_kept or policies is None or not policies.may_be_kept(question.segments):
            return Asked(job, question, "", keep_in_process=False)
        # A cache shared by both arms is only sound while both serve the same policies.
        agree = policies.revision == self._embedded_revision()
        if job.cache == "redis" and (job.opa == "http" or agree):
            # Kept by who decides: once the engine has been taken back, nothing that it decided is found any more.
            by = " by OPA" if job.opa == "http" else " by the engine"
            key = question.key(f"{policies.kept_under}{by}", self._lifetimes)
            return Asked(job, question, key, keep_in_process=False, policies=policies)
        return Asked(job, question, "", keep_in_process=agree, policies=policies)

    def _holding(self, asked: Asked) -> Callable[[], bool]:
        """Return what tells whether nobody was seen to change policies since it was asked: else it may be by the new ones.

        It is asked again later, so it holds on to nothing of the request.
        """
        return partial(self._still_holds, asked.policies, needs_both=asked.job.opa == "rust" or asked.keep_in_process)

    def _still_holds(self, before: OpaPolicies | None, *, needs_both: bool) -> bool:
        now = self._opa_policies()
        if before is None or now is None or not (before.is_current and now.is_current):
            return False
        # Of a document that the later look did not read, the same revision says nothing.
        if (now.kept_under, now.trust, now.compared) != (before.kept_under, before.trust, before.compared):
            return False
        return not needs_both or now.revision == self._embedded_revision()

    def _answer_from(self, asked: Asked, kept: bytes | None) -> bool:
        if kept is None:
            return False
        try:
            value = orjson.loads(kept)
        except orjson.JSONDecodeError:
            log.warning("a kept decision is not JSON and is not used", key=asked.key)
            return False
        self._complete(asked.job, answer.decision(kept, value), was_kept=True)
        return True

    async def _embedded(self, asked: Asked) -> Answer:
        question = asked.question
        loop = asyncio.get_running_loop()
        try:
            result = await loop.run_in_executor(self._threads, self._engine.evaluate, asked.job.path, question.input)
        except InputError as error:
            return answer.error(400, "invalid_parameter", str(error))
        except EngineError as error:
            log.warning("the embedded engine failed; asked OPA instead", path=asked.job.path, reason=str(error))
            # Answered, but not by the arm that was asked: an error of that arm, and not a decision to keep as its own.
            return replace(await self._over_http(question), outcome="error", keep=False)
        if result is None:
            return UNDEFINED
        return answer.decision(result, orjson.loads(result), keep=True)

    async def _over_http(self, question: Question) -> Answer:
        began = time.perf_counter()
        try:
            decided = await self._opa.decide(question)
        except OpaNotAsked as spared:
            return answer.error(503, "internal_error", str(spared))
        except OpaFailure as failure:
            self._data_plane.observe_evaluation(time.perf_counter() - began, "error", failure.kind)
            log.warning("no decision from OPA", path=question.path, kind=failure.kind, reason=str(failure))
            return answer.error(500, "internal_error", str(failure))
        # The metric knows no `undefined`: an undefined decision lets nobody in, so it counts as a denial.
        outcome = "deny" if decided.outcome == "undefined" else decided.outcome
        error_type = "evaluation" if decided.outcome == "error" else ""
        self._data_plane.observe_evaluation(time.perf_counter() - began, outcome, error_type)
        return decided

    def _lifetime(self, question: Question, decided: Answer) -> float:
        result = None if decided is UNDEFINED else _result(decided)
        return self._engine.cache_seconds(question.input, result)

    def _complete(
        self, job: Job, decided: Answer, cache_control: str = "", keep_seconds: float = 0.0, *, was_kept: bool = False
    ) -> None:
        self._data_plane.complete(
            job.id,
            decided.status,
            decided.body,
            outcome=decided.outcome,
            cache_control=cache_control,
            keep_seconds=keep_seconds,
            was_kept=was_kept,
        )


class _Turns:
    """Gives the event loop its turn in between, so that a batch is not read in one go."""

    def __init__(self) -> None:
        self._since = 0
        """Bytes since the last turn."""

    async def before(self, size: int) -> None:
        """Let everything else have its turn before so many bytes are read, if it is time."""
        if self._since and self._since + size > TURN_BYTES:
            await asyncio.sleep(0)
            self._since = 0
        self._since += size


def _result(decided: Answer) -> bytes:
    return decided.body.removeprefix(b'{"result":').removesuffix(b"}\n")
