"""One task per rollout: it ticks when something was changed, or when the time has come."""

from __future__ import annotations

import asyncio
import random
from typing import Final

import structlog

from sark_operator.shell import standing
from sark_operator.shell.api import ClusterError, ObjectMissingError, UnavailableError, UnreadableError
from sark_operator.shell.clock import Clock
from sark_operator.shell.pacer import Pacer
from sark_operator.shell.reconciler import Reconciler
from sark_operator.shell.standing import Standing
from sark_operator.shell.telemetry import Telemetry

FIRST_RETRY_SECONDS: Final = 0.5
LONGEST_RETRY_SECONDS: Final = 15.0
"""A server that asks for more is asked again after this long all the same: a breach must not wait for minutes."""
MISSING_TICKS: Final = 4
"""The rollout is gone when the API server says so this often in a row, some seconds in all. The watch tells at once."""
TICK_SECONDS: Final = 120.0
"""A tick that takes longer is given up and begun anew: every request in it has a shorter deadline of its own."""

_log = structlog.get_logger("sark.worker")


class Worker:
    """Drives one rollout until it is gone. No failure ends it: each is logged, counted, and followed by another try."""

    def __init__(
        self,
        namespace: str,
        name: str,
        uid: str,
        *,
        reconciler: Reconciler,
        pacer: Pacer,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self.key = f"{namespace}/{name}"
        self._namespace, self._name, self._uid = namespace, name, uid
        self._reconciler = reconciler
        self._pacer = pacer
        self._clock = clock
        self._telemetry = telemetry
        self._changed = asyncio.Event()
        self._turn = pacer.turn()
        """The one under way, waited for or past."""
        self._urgent = False
        """Whether the next turn is to come before what is only due: until a tick has been done."""
        self._standing = Standing()
        """How the tick under way stands in lines."""
        self._failures = 0
        self._missing = 0
        """How often in a row the API server had no such object."""
        self._due_at = clock.monotonic()

    @property
    def overdue_seconds(self) -> float:
        """How late the next tick, or the end of the one under way, is; zero or less when it is not due yet."""
        return self._clock.monotonic() - self._due_at

    def turn_back(self) -> None:
        """Tick now, before what is only due: the user asks for the baseline. What is only being observed begins anew."""
        self.wake(urgent=True)
        self._reconciler.look_again(self._uid)

    def wake(self, *, urgent: bool = False) -> None:
        """Tick now: something was changed. What is urgent, as what may have to go back is, comes before what is only due."""
        self._changed.set()
        if urgent:
            self._urgent = True
            self._turn.hurry()
            self._standing.set(urgent=True)

    async def run(self) -> None:
        """Tick until the rollout is gone.

        The first pause is cut short by chance: rollouts that were all seen at the start of the process are spread over their
        interval, and stay so.
        """
        standing.adopt(self._standing)
        part = random.uniform(0.1, 1.0)  # noqa: S311 - it spreads load and guards nothing
        while True:
            self._turn = self._pacer.turn(urgent=self._urgent)
            async with self._turn:
                self._telemetry.lag(self.overdue_seconds)
                self._changed.clear()
                urgent, self._urgent = self._urgent, False
                self._standing.set(urgent=urgent)
                wait = await self._tick()
                self._urgent = self._urgent or (urgent and self._failures > 0)
            if wait is None:
                _log.info("gone", rollout=self.key)
                return
            self._due_at = self._clock.monotonic() + wait * part
            await self._pause(wait * part)
            part = 1.0

    async def _pause(self, seconds: float) -> None:
        """Wait until the next tick is due, or something was changed."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        self._due_at = min(self._due_at, self._clock.monotonic())

    async def _tick(self) -> float | None:
        """Return the seconds until the next tick, or None when there shall be none."""
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(TICK_SECONDS):
                wait = await self._reconciler.tick(self._namespace, self._name, self._uid)
        except ObjectMissingError as error:
            self._missing += 1
            return None if self._missing >= MISSING_TICKS else self._failed(started, error, unexpected=False)
        except (ClusterError, TimeoutError) as error:
            return self._failed(started, error, unexpected=False)
        except Exception as error:  # noqa: BLE001 - a worker that ends would leave its fleet unwatched
            return self._failed(started, error, unexpected=True)
        self._failures = self._missing = 0
        self._telemetry.tick(self.key, "done", self._clock.monotonic() - started)
        return None if wait is None else max(0.0, wait.total_seconds())

    def _failed(self, started: float, error: Exception, *, unexpected: bool) -> float:
        self._failures += 1
        self._telemetry.tick(self.key, "failed", self._clock.monotonic() - started)
        problem = str(error) or type(error).__name__
        if unexpected:
            _log.exception("tick failed unexpectedly", rollout=self.key, failures=self._failures)
        elif isinstance(error, UnreadableError):
            _log.error("rollout cannot be read, its fleet is not watched", rollout=self.key, problem=problem)
        else:
            _log.warning("tick failed", rollout=self.key, problem=problem, failures=self._failures)
        longest = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(self._failures - 1, 8))
        wait = float(longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, so that many rollouts do not come back at once
        asked = error.retry_after if isinstance(error, UnavailableError) else 0.0
        return max(wait, min(asked, LONGEST_RETRY_SECONDS))
