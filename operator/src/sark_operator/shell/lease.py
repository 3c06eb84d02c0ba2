"""The Lease object as the leadership sees it: three requests, each with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import aiohttp
from kubernetes.aio.client import ApiClient, CoordinationV1Api
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.client.models import V1Lease, V1LeaseSpec, V1ObjectMeta
from pydantic import ValidationError

from sark_api.names import FIELD_MANAGER
from sark_operator.shell.api import ClusterError, ObjectMissingError, UnavailableError
from sark_operator.shell.cluster import translate
from sark_operator.shell.scope import Scope
from sark_operator.shell.telemetry import Telemetry

_LONGEST_SECONDS: Final = 300
"""No operator accepts a longer lease; a Lease that claims one was written by hand."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The Lease as it was last read or written."""

    raw: V1Lease

    @property
    def version(self) -> str:
        """Its resourceVersion: compared for equality only."""
        return str(self.raw.metadata.resource_version) if self.raw.metadata else ""

    @property
    def uid(self) -> str:
        """Its uid: a Lease that was deleted and made anew has another one."""
        return str(self.raw.metadata.uid or "") if self.raw.metadata else ""

    @property
    def transitions(self) -> int:
        """How often it has changed hands."""
        return (self.raw.spec.lease_transitions or 0) if self.raw.spec else 0

    @property
    def holder(self) -> str:
        """Who holds it; empty when it was released."""
        return (self.raw.spec.holder_identity or "") if self.raw.spec else ""

    @property
    def renewed_at(self) -> datetime | None:
        """What the holder's clock said at its last renewal: it identifies that renewal and is never compared with a clock."""
        return self.raw.spec.renew_time if self.raw.spec else None

    @property
    def held_state(self) -> tuple[object, ...]:
        """What whoever holds it writes: it changes with every renewal, and with nothing else."""
        return self.uid, self.holder, self.transitions, self.renewed_at, self.seconds

    @property
    def seconds(self) -> int:
        """How long its holder relies on it; 0 when it does not say."""
        claimed = (self.raw.spec.lease_duration_seconds or 0) if self.raw.spec else 0
        return min(claimed, _LONGEST_SECONDS)

    @property
    def scope(self) -> Scope | None:
        """What its holder serves; None when it is not held, or its holder does not say."""
        annotations = self.raw.metadata.annotations if self.raw.metadata else None
        return Scope.told(annotations, self.holder) if self.holder else None

    def held_by(self, holder: str, seconds: int, now: datetime) -> Lease:
        """Return the Lease with another holder, from `now` on."""
        before = self.raw.spec or V1LeaseSpec()
        spec = V1LeaseSpec(
            holder_identity=holder,
            lease_duration_seconds=seconds,
            acquire_time=now,
            renew_time=now,
            lease_transitions=(before.lease_transitions or 0) + 1,
        )
        return self._with(spec)

    def renewed(self, seconds: int, now: datetime) -> Lease:
        """Return the Lease with the same holder, renewed."""
        before = self.raw.spec or V1LeaseSpec()
        return self._with(
            V1LeaseSpec(
                holder_identity=before.holder_identity,
                lease_duration_seconds=seconds,
                acquire_time=before.acquire_time,
                renew_time=now,
                lease_transitions=before.lease_transitions,
            )
        )

    def released(self, now: datetime) -> Lease:
        """Return the Lease without a holder; the count of transitions stays."""
        before = self.raw.spec or V1LeaseSpec()
        return self._with(V1LeaseSpec(lease_duration_seconds=1, renew_time=now, lease_transitions=before.lease_transitions))

    def serving(self, scope: Scope) -> Lease:
        """Return the Lease with what its holder serves; other annotations stay."""
        metadata = self.raw.metadata or V1ObjectMeta()
        annotations = {**(metadata.annotations or {}), **scope.annotations(self.holder)}
        return Lease(self.raw.model_copy(update={"metadata": metadata.model_copy(update={"annotations": annotations})}))

    def _with(self, spec: V1LeaseSpec) -> Lease:
        """Return the Lease with another spec; labels and annotations that others put on it stay."""
        return Lease(self.raw.model_copy(update={"spec": spec}))


def micro_time(now: datetime) -> datetime:
    """Return `now` as a MicroTime that survives the wire.

    The API server insists on six digits of a second's fraction, and the client leaves the fraction out when it is zero.
    """
    return now.replace(microsecond=now.microsecond or 1)


class LeaseStore:
    """The door to one Lease. Its methods raise a `ClusterError` and never retry."""

    def __init__(self, client: ApiClient, namespace: str, name: str, telemetry: Telemetry, *, call_seconds: float) -> None:
        self._leases = CoordinationV1Api(client)
        self._namespace = namespace
        self._name = name
        self._telemetry = telemetry
        self._call_seconds = call_seconds
        self.what = f"Lease {namespace}/{name}"

    async def read(self) -> Lease | None:
        """Return the Lease as it is now, or None when there is none."""
        call = self._leases.read_namespaced_lease(self._name, self._namespace, _request_timeout=self._call_seconds)
        try:
            return Lease(await self._ask("read", call))
        except ObjectMissingError:
            return None

    async def create(self, holder: str, seconds: int, now: datetime, scope: Scope) -> Lease:
        """Create the Lease with its first holder, who serves `scope`; raises `StaleVersionError` when there is one by now."""
        spec = V1LeaseSpec(
            holder_identity=holder, lease_duration_seconds=seconds, acquire_time=now, renew_time=now, lease_transitions=0
        )
        metadata = V1ObjectMeta(name=self._name, namespace=self._namespace, annotations=scope.annotations(holder))
        body = V1Lease(metadata=metadata, spec=spec)
        call = self._leases.create_namespaced_lease(
            self._namespace, body, field_manager=FIELD_MANAGER, _request_timeout=self._call_seconds
        )
        return Lease(await self._ask("create", call))

    async def replace(self, lease: Lease) -> Lease:
        """Write `lease`, provided the object still has its version; raises `StaleVersionError` when it has not."""
        call = self._leases.replace_namespaced_lease(
            self._name, self._namespace, lease.raw, field_manager=FIELD_MANAGER, _request_timeout=self._call_seconds
        )
        return Lease(await self._ask("write", call))

    async def _ask(self, verb: str, call: Awaitable[Any]) -> V1Lease:
        what = f"{verb} {self.what}"
        sent_at = time.monotonic()
        try:
            async with asyncio.timeout(self._call_seconds):
                lease = await call
                if isinstance(lease, V1Lease) and lease.metadata is not None and lease.spec is not None:
                    return lease
                problem: ClusterError = ClusterError(f"{what}: the API server's answer is no Lease")
        except ApiException as error:
            problem = translate(what, error)
        except TimeoutError:
            problem = UnavailableError(f"{what}: the API server did not answer within {self._call_seconds:g} s")
        except (aiohttp.ClientError, OSError) as error:
            problem = UnavailableError(f"{what}: the API server cannot be reached: {error}")
        except ValidationError as error:
            problem = ClusterError(f"{what}: the API server's answer has an unexpected form ({error.error_count()} errors)")
        except (ValueError, TypeError) as error:
            # As a page of a proxy in front of it that is under repair: a holder must not end for it while its Lease lasts.
            problem = ClusterError(f"{what}: the API server's answer has an unexpected form: {error}")
        finally:
            self._telemetry.api_call(verb, time.monotonic() - sent_at)
        if not isinstance(problem, ObjectMissingError):
            self._telemetry.api_error(verb, type(problem).__name__)
        raise problem
