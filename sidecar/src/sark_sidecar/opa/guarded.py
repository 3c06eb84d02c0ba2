"""OPA behind its circuit breaker."""

from __future__ import annotations

from typing import Protocol

from sark_sidecar.guard import Guard

from .answer import Answer
from .client import OpaFailure
from .question import Question


class OpaNotAsked(Exception):  # noqa: N818 - what happened
    """OPA has failed and is left alone for a while; the message is for the client."""


class Decider(Protocol):
    """Decides over HTTP."""

    async def decide(self, question: Question) -> Answer:
        """Return the answer, or raise OpaFailure."""


class GuardedOpa:
    """Asks OPA while that has a point."""

    def __init__(self, opa: Decider, guard: Guard) -> None:
        """Ask `opa` whenever `guard` admits it."""
        self._opa = opa
        self._guard = guard

    async def decide(self, question: Question) -> Answer:
        """Return OPA's answer.

        Raises:
            OpaNotAsked: it would very likely have failed.
            OpaFailure: it was asked, and gave no decision.
        """
        permit = self._guard.admit()
        if permit is None:
            raise OpaNotAsked("OPA has failed and is left alone for a moment; try again")
        try:
            decided = await self._opa.decide(question)
        except OpaFailure as failure:
            self._guard.ended(permit, failed=failure.is_outage)
            raise
        except BaseException:
            self._guard.abandoned(permit)
            raise
        self._guard.ended(permit, failed=False)
        return decided
