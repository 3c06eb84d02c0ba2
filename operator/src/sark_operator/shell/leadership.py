"""Leadership: at most one operator process works at a time, by a Lease in coordination.k8s.io/v1.

No wall clock is ever compared with another. A candidate takes over when the Lease has not changed for its whole length on the
candidate's own monotonic clock. The holder counts from the moment it *sent* its last successful renewal and stops relying on
the Lease after two thirds of its length; the last third is there for stopping what is under way. A process that has not stopped
by then, because its event loop is stuck, is ended by a watchdog.

What this cannot prevent is a process that is frozen in the middle of a write and thawed after a successor took over, and a
Lease deleted by hand just when a new candidate starts. Both are harmless: every write carries the resourceVersion it rests on,
and sidecars ignore a flag document whose revision is not higher.

A process that is found unfit to lead, because its event loop hangs, gives the Lease up at once instead of letting it run out.
To its successor it is like a frozen one: should it go on, it does not hold the Lease, and what it had on its way is refused.

The holder writes onto the Lease which namespaces it serves. A candidate that is to serve others is of another installation, and
nobody serves its namespaces while the first one leads; or an update that changes them is under way. It cannot tell which, so it
says so and stays ready: an update that waits for it to become so would wait for ever.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NoReturn

import structlog
from kubernetes.aio.client import ApiClient

from sark_api.status import Leader
from sark_operator.shell.api import ClusterError, ObjectMissingError, StaleVersionError
from sark_operator.shell.clock import Clock
from sark_operator.shell.lease import Lease, LeaseStore, micro_time
from sark_operator.shell.scope import Scope
from sark_operator.shell.settings import Settings
from sark_operator.shell.telemetry import Telemetry
from sark_operator.shell.watchdog import Watchdog

CALL_SECONDS: Final = 5.0
"""Longest deadline of one request; a third of the lease when that is shorter."""
LEASE_LOST_STATUS: Final = 3
"""Exit status of a process that lost its Lease."""
MAX_POLL_SECONDS: Final = 2.0
"""Longest time between two looks of a candidate, so that a released Lease is taken soon."""
FITNESS_SECONDS: Final = 1.0
"""Longest time between two looks whether this process is fit to lead."""
LAST_WORD_SECONDS: Final = 0.5
"""So long a process that must end waits for its log to take that it does."""
_MAX_WRITES: Final = 64
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_RELEASE_ATTEMPTS: Final = 3

_log = structlog.get_logger("sark.leadership")


class LeaseLostError(Exception):
    """This process must not act any more: another one may. The message says why."""


@dataclass(frozen=True, slots=True)
class _Sighting:
    """A state of somebody else's Lease, and since when we have seen it so."""

    state: tuple[object, ...]
    """Who holds it, since when, and when it was renewed last; empty while the Lease is missing."""
    seconds: float
    """How long it must stay so before it may be taken over."""
    since: float
    """Monotonic seconds."""


class Leadership:
    """Holds the Lease, or waits for it. One task at a time may call its methods; its properties may be read in any thread."""

    def __init__(
        self,
        client: ApiClient,
        settings: Settings,
        clock: Clock,
        telemetry: Telemetry,
        *,
        unfit: Callable[[], str] = lambda: "",
        end_process: Callable[[int], object] = os._exit,
    ) -> None:
        """Take `unfit`, which says why this process should not lead any longer, and is asked before each renewal.

        `end_process` is called with a status when the Lease ran out and `release` has not been called.
        """
        self._unfit = unfit
        self._identity = settings.identity
        self._scope = Scope.of(settings.namespaces)
        self._seconds = settings.lease_seconds
        self._clock = clock
        self._telemetry = telemetry
        self._store = LeaseStore(
            client,
            settings.lease_namespace,
            settings.lease_name,
            telemetry,
            call_seconds=min(CALL_SECONDS, settings.lease_seconds / 3),
        )
        self._lease: Lease | None = None
        """The Lease as it was when we last knew it to be ours."""
        self._renewed_at: float | None = None
        """Monotonic seconds at which the request was sent that made `_lease`; None while it is not ours."""
        self._writes: dict[datetime, float] = {}
        """What we may have written, successful or not: renewTime to the monotonic seconds at which it was sent."""
        self._term = Leader()
        self._seen: _Sighting | None = None
        self._waiting = ""
        self._foreign = ""
        self._expires_at = 0.0
        """Monotonic seconds from which on another process may hold the Lease."""
        self._end_process = end_process
        self._watchdog: Watchdog | None = None

    @property
    def held(self) -> bool:
        """Whether this process may act now: it holds the Lease and renewed it lately enough."""
        return self._left() > 0

    @property
    def term(self) -> Leader:
        """Under which term of the Lease this process acts, or acted last."""
        return self._term

    @property
    def waiting(self) -> str:
        """Why `acquire` has not ended yet, as a sentence; empty when it waits for nothing."""
        return self._waiting

    @property
    def foreign(self) -> str:
        """That the Lease is held by one that serves other namespaces than this process is to, as a sentence; else empty."""
        return self._foreign

    async def acquire(self) -> None:
        """Wait until the Lease is ours, however long that takes; everything that fails is tried again."""
        self._seen = None
        while True:
            if await self._tried():
                break
            await asyncio.sleep(_jittered(min(MAX_POLL_SECONDS, self._seconds / 10)))
        self._waiting = ""
        self._watch_over()
        self._telemetry.leader(holds=True)
        _log.info("leading", lease=self._store.what, identity=self._identity)

    async def keep(self) -> NoReturn:
        """Renew the Lease every third of its length; ends only by an error.

        Raises:
            LeaseLostError: another holder was seen, the Lease is gone, it could not be renewed for two thirds of its length, or
                this process is unfit to lead.
        """
        while True:
            due_in = self._left() - self._seconds / 3
            await asyncio.sleep(max(0.0, min(due_in, FITNESS_SECONDS)))
            if unfit := self._unfit():
                _log.error("the Lease is given up", lease=self._store.what, problem=unfit)
                lost = self._lost(f"{self._store.what} is given up: {unfit}")
                await self._give_up()
                raise lost
            if due_in <= FITNESS_SECONDS:
                await self._renew()

    async def release(self) -> None:
        """Give the Lease up if it is still ours, so that a successor need not wait until it has run out.

        Call it when everything that acts has stopped and `keep` has ended. It raises nothing: a Lease that could not be
        released runs out.
        """
        self._forget()
        if self._watchdog is not None:
            self._watchdog.stop()
        await self._give_up()

    async def _give_up(self) -> None:
        """Write the Lease without a holder if it is still ours."""
        if not self._writes:
            return
        for _ in range(_RELEASE_ATTEMPTS):
            try:
                lease = await self._store.read()
                if lease is not None and self._is_ours(lease):
                    await self._store.replace(lease.released(self._now()))
                    _log.info("released", lease=self._store.what, identity=self._identity)
                break
            except StaleVersionError:
                continue  # a renewal of ours that was under way has arrived; or a successor is there
            except ClusterError as error:
                _log.warning("not released", lease=self._store.what, problem=str(error))
                break
        self._writes.clear()

    async def _tried(self) -> bool:
        """Take the Lease if that may be done now; return whether it is ours."""
        try:
            lease = await self._store.read()
            self._compare(lease)
            if not self._may_take(lease):
                self._tell(f"{self._store.what} is held by {lease.holder}" if lease else f"{self._store.what} was deleted")
                return False
            if lease is None:
                await self._write(lambda now: self._store.create(self._identity, self._seconds, now, self._scope))
            else:
                await self._write(lambda now: self._store.replace(self._claimed(lease, now)))
        except ClusterError as error:
            self._tell(str(error))
            return False
        self._compare(None)
        return True

    def _may_take(self, lease: Lease | None) -> bool:
        """Return whether nobody relies on the Lease.

        One that is missing may be created at once, unless we have seen it held: whoever deleted it did not stop its holder.
        """
        if lease is None:
            return self._seen is None or self._silent((), self._seen.seconds)
        if not lease.holder or self._is_ours(lease):
            return True
        return self._silent(lease.held_state, max(self._seconds, lease.seconds))

    def _silent(self, state: tuple[object, ...], seconds: float) -> bool:
        """Return whether the Lease has stayed the same for `seconds` before our eyes.

        Only what its holder writes counts: others may touch its labels and annotations for ever.
        """
        now = self._clock.monotonic()
        if self._seen is None or self._seen.state != state:
            self._seen = _Sighting(state, seconds, now)
        return now - self._seen.since >= seconds

    def _claimed(self, lease: Lease, now: datetime) -> Lease:
        if self._is_ours(lease):
            return self._renewed(lease, now)
        return lease.held_by(self._identity, self._seconds, now).serving(self._scope)

    def _renewed(self, lease: Lease, now: datetime) -> Lease:
        return lease.renewed(self._seconds, now).serving(self._scope)

    async def _renew(self) -> None:
        """Renew, again and again if need be, for as long as we may rely on the Lease."""
        problem = "there was no time to"
        while (left := self._left()) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._renew_once()
            except (ClusterError, TimeoutError) as error:
                problem = str(error) or "the API server did not answer in time"
                _log.warning("not renewed", lease=self._store.what, problem=problem)
            else:
                return
            await asyncio.sleep(max(0.0, min(self._left(), _jittered(self._seconds / 15))))
        raise self._lost(f"{self._store.what} was not renewed within {self._seconds * 2 / 3:g} s: {problem}")

    async def _renew_once(self) -> None:
        lease = self._lease
        if lease is None:
            raise self._lost(f"{self._store.what} was never acquired")
        try:
            await self._write(lambda now: self._store.replace(self._renewed(lease, now)))
        except (StaleVersionError, ObjectMissingError) as error:
            found = await self._store.read()
            if found is None:
                raise self._lost(f"{self._store.what} was deleted") from error
            if not self._is_ours(found):
                raise self._lost(f"{self._store.what} is held by {found.holder or 'nobody'}") from error
            # A renewal whose answer was lost had arrived, or somebody put a label on it.
            self._own(found, self._writes[_stamp(found)])

    async def _write(self, send: Callable[[datetime], Awaitable[Lease]]) -> None:
        """Send what makes the Lease ours, and count from the moment of sending."""
        now, sent_at = self._now(), self._clock.monotonic()
        self._writes[now] = sent_at
        while len(self._writes) > _MAX_WRITES:
            del self._writes[next(iter(self._writes))]
        self._own(await send(now), sent_at)
        self._writes = {now: sent_at}

    def _own(self, lease: Lease, sent_at: float) -> None:
        self._lease, self._renewed_at, self._expires_at = lease, sent_at, sent_at + self._seconds
        self._term = Leader(identity=lease.holder, lease=lease.uid, term=lease.transitions)

    def _watch_over(self) -> None:
        if self._watchdog is not None:
            self._watchdog.stop()
        self._watchdog = Watchdog(lambda: self._expires_at - self._clock.monotonic(), self._end)
        self._watchdog.start()

    def _end(self) -> None:
        """End a process that should have stopped by now; called in the watchdog's thread."""

        def tell() -> None:
            _log.error("ending: the Lease has run out and what it stood for has not stopped", lease=self._store.what)

        # A log that nobody reads holds up whoever writes to it, which may be why nothing has stopped.
        try:
            telling = threading.Thread(target=tell, name="last word", daemon=True)
            telling.start()
            telling.join(LAST_WORD_SECONDS)
        finally:
            # Also where no thread can be started any more, which may as well be why nothing has stopped.
            self._end_process(LEASE_LOST_STATUS)

    def _is_ours(self, lease: Lease) -> bool:
        """Return whether this very process wrote it: a second one given the same identity is somebody else."""
        return lease.holder == self._identity and _stamp(lease) in self._writes

    def _left(self) -> float:
        """Return for how many more seconds we may rely on the Lease; asked from any thread."""
        renewed_at = self._renewed_at
        if renewed_at is None:
            return 0.0
        return renewed_at + self._seconds * 2 / 3 - self._clock.monotonic()

    def _now(self) -> datetime:
        return micro_time(self._clock.now())

    def _lost(self, reason: str) -> LeaseLostError:
        self._forget()
        return LeaseLostError(reason)

    def _forget(self) -> None:
        self._lease = self._renewed_at = None
        self._telemetry.leader(holds=False)

    def _compare(self, lease: Lease | None) -> None:
        """Take note of whether the holder of `lease` serves what this process is to, and say so once where it does not."""
        foreign = ""
        if lease is not None and not self._is_ours(lease) and lease.scope not in (None, self._scope):
            foreign = (
                f"{self._store.what} is held by {lease.holder}, which serves {lease.scope}, while this one is to serve "
                f"{self._scope}: unless one just replaces the other, give each installation a Lease of its own (--lease-name)"
            )
        if foreign == self._foreign:
            return
        self._foreign = foreign
        self._telemetry.lease_shared(shared=bool(foreign))
        if foreign:
            _log.warning("an operator of another installation leads", problem=foreign, identity=self._identity)

    def _tell(self, reason: str) -> None:
        """Say why we wait, once per reason."""
        if reason != self._waiting:
            self._waiting = reason
            _log.info("waiting to lead", problem=reason, identity=self._identity)


def _stamp(lease: Lease) -> datetime:
    """Return what tells one renewal from another; one without a time is none of ours."""
    return lease.renewed_at or _NEVER


def _jittered(seconds: float) -> float:
    """Return about `seconds`, so that several candidates do not ask in step."""
    return seconds * random.uniform(0.75, 1.25)  # noqa: S311 - it spreads load and guards nothing
