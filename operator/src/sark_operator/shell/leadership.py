"""The Lease: at most one operator works at a time.

A holder may write until its deadline, counted from the moment before it asked for the last renewal that succeeded. Others take
the Lease only after they have seen it unchanged for its whole duration on their own clock; clocks of two machines are never
compared. The holder gives up at two thirds of the duration, so it has stopped before anyone else may begin. Should its event
loop be stuck at that time, a watchdog thread ends the process.

This is what keeps two operators from working side by side. What makes it harmless should they do so is the resourceVersion
every write carries.
"""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import aiohttp
import structlog
from kubernetes.aio.client import ApiClient, CoordinationV1Api
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.client.models import V1Lease

from sark_operator.shell.clock import Clock
from sark_operator.shell.settings import Settings
from sark_operator.shell.telemetry import Telemetry

MOST_CALL_SECONDS: Final = 3.0
LEASE_LOST_STATUS: Final = 3
"""Exit status of a process that lost its Lease."""
_RENEWALS: Final = 3
"""Renewals tried within one duration."""

_log = structlog.get_logger("sark.leadership")


class LeaseLostError(Exception):
    """The Lease is no longer ours, or cannot be shown to be."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the Lease looked like, and when it was first seen so on our own clock."""

    version: str
    at: float


class Leadership:
    """Takes, keeps and gives back the Lease."""

    def __init__(self, client: ApiClient, settings: Settings, clock: Clock, telemetry: Telemetry) -> None:
        self._leases = CoordinationV1Api(client)
        self._settings = settings
        self._clock = clock
        self._telemetry = telemetry
        self._seconds = settings.lease_seconds
        self._call_seconds = min(MOST_CALL_SECONDS, self._seconds / 6)  # the last try must end well before the deadline
        self._lease: V1Lease | None = None
        self._seen: _Seen | None = None
        self._deadline = 0.0
        self._over = threading.Event()

    @property
    def held(self) -> bool:
        """Whether this process may work now."""
        return self._lease is not None and self._clock.monotonic() < self._deadline

    async def acquire(self) -> None:
        """Wait until the Lease is ours. A failed attempt is logged and repeated."""
        while True:
            try:
                if await self._take():
                    break
            except (ApiException, aiohttp.ClientError, OSError, TimeoutError) as error:
                _log.warning("cannot take the Lease", lease=self._name, problem=_short(error))
            await asyncio.sleep(self._seconds / _RENEWALS / 2)
        self._telemetry.leader(holds=True)
        threading.Thread(target=self._watch_over, name="lease watchdog", daemon=True).start()
        _log.info("leading", lease=self._name, identity=self._settings.identity)

    async def keep(self) -> None:
        """Renew the Lease for ever. Raises `LeaseLostError` while there is still time to stop before anyone else may begin."""
        try:
            while True:
                await asyncio.sleep(self._seconds / _RENEWALS)
                await self._renew()
        finally:
            self._telemetry.leader(holds=False)

    async def release(self) -> None:
        """Give the Lease back, so that the next operator need not wait; a failure only makes it wait."""
        self._over.set()
        lease, self._lease = self._lease, None
        if lease is None or self._clock.monotonic() >= self._deadline:
            return
        try:
            await self._replace(lease, holder="", seconds=1)
        except (ApiException, aiohttp.ClientError, OSError, TimeoutError) as error:
            _log.warning("cannot give the Lease back", lease=self._name, problem=_short(error))
        else:
            _log.info("gave the Lease back", lease=self._name)

    @property
    def _name(self) -> str:
        return f"{self._settings.lease_namespace}/{self._settings.lease_name}"

    async def _take(self) -> bool:
        asked_at = self._clock.monotonic()
        lease = await self._read()
        if lease is None:
            self._own(await self._create(), asked_at)
            return True
        holder = (lease.spec.holder_identity or "") if lease.spec else ""
        if holder and holder != self._settings.identity and not self._worn_out(lease):
            return False
        asked_at = self._clock.monotonic()
        try:
            self._own(await self._replace(lease, holder=self._settings.identity, seconds=self._seconds), asked_at)
        except ApiException as error:
            if error.status == 409:  # noqa: PLR2004 - someone else was faster
                return False
            raise
        return True

    def _worn_out(self, lease: V1Lease) -> bool:
        """Return whether the Lease has not been renewed for its whole duration, measured here."""
        version = str(lease.metadata.resource_version) if lease.metadata else ""
        now = self._clock.monotonic()
        if self._seen is None or self._seen.version != version:
            self._seen = _Seen(version, now)
        duration = (lease.spec.lease_duration_seconds if lease.spec else None) or self._seconds
        return now - self._seen.at > duration

    async def _renew(self) -> None:
        """Renew once, trying again until two thirds of the duration have passed since the last renewal."""
        give_up_at = self._deadline - self._seconds / _RENEWALS
        while True:
            asked_at = self._clock.monotonic()
            try:
                if self._lease is None:
                    raise LeaseLostError(f"Lease {self._name} has been given back")
                self._own(await self._replace(self._lease, holder=self._settings.identity, seconds=self._seconds), asked_at)
            except ApiException as error:
                if error.status in (404, 409):
                    await self._recheck(error)
                problem = _short(error)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                problem = _short(error)
            else:
                return
            if self._clock.monotonic() >= give_up_at:
                raise LeaseLostError(f"Lease {self._name} could not be renewed in time: {problem}")
            _log.warning("cannot renew the Lease", lease=self._name, problem=problem)
            await asyncio.sleep(min(0.5, self._seconds / 12))

    async def _recheck(self, cause: ApiException) -> None:
        """See who holds a Lease that has changed under us. It may be our own renewal, whose answer was lost."""
        lease = await self._read()
        holder = lease.spec.holder_identity if lease is not None and lease.spec else None
        if lease is None or holder != self._settings.identity:
            raise LeaseLostError(f"Lease {self._name} is held by {holder or 'nobody'}") from cause
        self._lease = lease

    def _own(self, lease: V1Lease, asked_at: float) -> None:
        self._lease = lease
        self._deadline = asked_at + self._seconds

    async def _read(self) -> V1Lease | None:
        name, namespace = self._settings.lease_name, self._settings.lease_namespace
        try:
            async with asyncio.timeout(self._call_seconds):
                return await self._leases.read_namespaced_lease(name, namespace, _request_timeout=self._call_seconds)
        except ApiException as error:
            if error.status == 404:  # noqa: PLR2004
                return None
            raise

    async def _create(self) -> V1Lease:
        now = _micro(self._clock.now())
        body: Any = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._settings.lease_name, "namespace": self._settings.lease_namespace},
            "spec": {
                "holderIdentity": self._settings.identity,
                "leaseDurationSeconds": self._seconds,
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": 0,
            },
        }
        namespace = self._settings.lease_namespace
        async with asyncio.timeout(self._call_seconds):
            return await self._leases.create_namespaced_lease(namespace, body, _request_timeout=self._call_seconds)

    async def _replace(self, lease: V1Lease, *, holder: str, seconds: int) -> V1Lease:
        """Write the Lease, provided it is still the one in `lease`."""
        now, spec, metadata = _micro(self._clock.now()), lease.spec, lease.metadata
        changed = spec is None or spec.holder_identity != holder
        acquired = now if changed or spec is None or spec.acquire_time is None else _micro(spec.acquire_time)
        transitions = (spec.lease_transitions or 0) if spec else 0
        body: Any = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self._settings.lease_name,
                "namespace": self._settings.lease_namespace,
                "resourceVersion": metadata.resource_version if metadata else None,
            },
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": seconds,
                "acquireTime": acquired,
                "renewTime": now,
                "leaseTransitions": transitions + 1 if changed and holder else transitions,
            },
        }
        name, namespace = self._settings.lease_name, self._settings.lease_namespace
        async with asyncio.timeout(self._call_seconds):
            return await self._leases.replace_namespaced_lease(name, namespace, body, _request_timeout=self._call_seconds)

    def _watch_over(self) -> None:
        """End the process when the deadline passes although nothing has been released: the event loop is stuck."""
        while not self._over.wait(max(0.05, self._deadline - self._clock.monotonic())):
            if self._clock.monotonic() >= self._deadline:
                os._exit(LEASE_LOST_STATUS)


def _micro(at: datetime) -> str:
    """Return the form the Lease's times insist on: microseconds, always."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def _short(error: BaseException) -> str:
    if isinstance(error, ApiException):
        return f"HTTP {error.status} {error.reason}"
    return str(error) or type(error).__name__
