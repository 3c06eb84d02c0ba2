"""A breaker at work: it knows what time it is, and tells people what it does."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from .breaker import Breaker, BreakerRule, BreakerState, Permit

log = structlog.get_logger()
LOOK_SECONDS = 0.2
"""How often a breaker is looked at while nobody asks: calls that hang make no noise."""


class BreakerMetrics(Protocol):
    """Where breakers are shown and counted."""

    def breaker_state(self, name: str, state: BreakerState) -> None:
        """Show a state."""

    def breaker_opened(self, name: str) -> None:
        """Count an opening."""

    def calls_skipped(self, name: str, calls: int) -> None:
        """Count calls that were not made."""


class Guard:
    """Lets calls to one server through, or not."""

    def __init__(
        self,
        name: str,
        rule: BreakerRule,
        metrics: BreakerMetrics,
        *,
        on_change: Callable[[BreakerState], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name` is the server's, in logs and metrics; `on_change` is called with each new state."""
        self._name = name
        self._breaker = Breaker(rule, random.random)
        self._metrics = metrics
        self._on_change = on_change
        self._clock = clock
        self._told = BreakerState.CLOSED
        metrics.breaker_state(name, self._told)

    @property
    def state(self) -> BreakerState:
        """Whether calls are made."""
        return self._breaker.state

    def admit(self, calls: int = 1) -> Permit | None:
        """Return leave to make one call that stands for so many, or None, and then they are counted as skipped."""
        permit = self._breaker.admit(self._clock())
        if permit is None:
            self._metrics.calls_skipped(self._name, calls)
        self._tell()
        return permit

    def ended(self, permit: Permit, *, failed: bool) -> None:
        """Take note of how a call went."""
        self._breaker.ended(permit, self._clock(), failed=failed)
        self._tell()

    def abandoned(self, permit: Permit) -> None:
        """Take note that a call ended before it could tell anything."""
        self._breaker.abandoned(permit, self._clock())
        self._tell()

    async def follow(self) -> None:
        """Notice calls that hang; run until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._breaker.look(self._clock())
            self._tell()

    def seconds_to_try(self) -> float:
        """Return how long no call is made."""
        return self._breaker.seconds_to_try(self._clock())

    def status(self) -> dict[str, Any]:
        """Return what `GET /v1/status` says of it."""
        now = self._clock()
        self._breaker.look(now)
        return {
            "state": self._breaker.state.value,
            "for_seconds": round(now - self._breaker.since, 3) if self._breaker.opened else None,
            "next_try_in_seconds": round(self._breaker.seconds_to_try(now), 3),
            "opened": self._breaker.opened,
            "not_asked": self._breaker.refused,
            "under_way": self._breaker.under_way,
        }

    def _tell(self) -> None:
        state = self._breaker.state
        if state is self._told:
            return
        before, self._told = self._told, state
        self._metrics.breaker_state(self._name, state)
        if state is BreakerState.OPEN and before is BreakerState.CLOSED:
            self._metrics.breaker_opened(self._name)
            log.warning("circuit opened: it failed and is left alone", server=self._name, seconds=self.seconds_to_try())
        elif state is BreakerState.CLOSED:
            log.info("circuit closed: it works again", server=self._name)
        self._on_change(state)
