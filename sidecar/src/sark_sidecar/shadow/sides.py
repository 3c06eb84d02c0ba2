"""The two sides of a comparison: the engine in process and OPA over HTTP, each asked anew and past every cache."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Protocol

import sark_engine

from sark_sidecar.exact_json import JsonError
from sark_sidecar.opa.answer import Answer
from sark_sidecar.opa.client import OpaFailure
from sark_sidecar.opa.question import Question

from .documents import UNDEFINED, decision_in, read_document

_OK = 200


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision."""

    document: Any
    """As `read_document` returns it, or UNDEFINED."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """A side that could not decide. That is no decision, and so no mismatch."""

    kind: str
    """One word."""
    reason: str
    """A sentence, which may hold values of the input."""
    by_design: bool = False
    """The engine does not answer for this path: known when the policies are loaded."""


class Engine(Protocol):
    """The part of sark_engine.Engine that decides."""

    def evaluate_aside(self, path: str, input: bytes | None = None) -> bytes | None:  # noqa: A002 - the engine's word
        """Return the decision as JSON; None when undefined. Raise EngineError."""


class Opa(Protocol):
    """The part of the client of OPA that decides."""

    async def decide(self, question: Question) -> Answer:
        """Return the answer, or raise OpaFailure."""


class EngineSide:
    """Asks the engine, on threads of its own."""

    name = "engine"

    def __init__(self, engine: Engine, threads: Executor) -> None:
        """`threads` evaluate: an evaluation may take longer than the event loop can wait."""
        self._engine = engine
        self._threads = threads

    async def decide(self, path: str, given: bytes | None) -> Decided | Undecided:
        """Return the decision of `path` for the input with this JSON text."""
        loop = asyncio.get_running_loop()
        try:
            raw = await loop.run_in_executor(self._threads, self._engine.evaluate_aside, path, given)
            return Decided(UNDEFINED if raw is None else read_document(raw))
        except sark_engine.UnsupportedPath as error:
            return Undecided("unsupported", str(error), by_design=True)
        except (sark_engine.EngineError, JsonError) as error:
            return Undecided(type(error).__name__, str(error))


class OpaSide:
    """Asks OPA."""

    name = "opa"

    def __init__(self, opa: Opa) -> None:
        """`opa` has its own connections, so that comparisons take none from requests."""
        self._opa = opa

    async def decide(self, path: str, given: bytes | None) -> Decided | Undecided:
        """Return the decision of `path` for the input with this JSON text."""
        try:
            answer = await self._opa.decide(Question(path, given))
        except OpaFailure as failure:
            return Undecided(failure.kind, str(failure))
        if answer.status != _OK or answer.outcome == "error":
            return Undecided("refused", f"OPA answered {answer.status}")
        return read_answer(answer.body)


def read_answer(body: bytes) -> Decided | Undecided:
    """Return the decision in the body of an answer of the data API."""
    try:
        return Decided(decision_in(body))
    except JsonError as error:
        return Undecided("unreadable", f"the answer cannot be read: {error}")
