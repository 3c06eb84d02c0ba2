"""What the page reads of Kubernetes: rollouts and their evidence, when somebody looks, with a client of its own.

Nothing is watched and nothing is written. An answer is shared by all who look, so that many viewers cost what one costs.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from kubernetes.aio.client import ApiClient

from sark_api.evidence import EvidenceRecord, record_key, segment_name, to_record
from sark_api.status import Leader
from sark_operator.shell.api import ClusterError, ObjectMissingError, RolloutObject, UnavailableError, UnreadableError
from sark_operator.shell.clock import Clock
from sark_operator.shell.cluster import CALL_SECONDS, KubernetesCluster, rollouts_path
from sark_operator.shell.documents import Documents
from sark_operator.shell.evidence_store import ConfigMapEvidence
from sark_operator.shell.shared_answers import SharedAnswers
from sark_operator.shell.telemetry import Telemetry

from .view.listing import Row, row
from .view.seen import Seen, Unread, Unreadable

ONE_SECONDS: Final = 1.0
"""One rollout is read at most this often."""
ALL_SECONDS: Final = 5.0
"""The list is read at most this often."""
EVIDENCE_AT_ONCE: Final = 2
"""ConfigMaps with evidence, of up to a MiB, that are read at the same time."""
KEPT: Final = 64
"""Readings that are kept."""
MOST: Final = 5000
"""The list ends after so many."""
CHUNK: Final = 100
"""Rollouts in one answer of the API server."""
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
"""What a namespace and a rollout are called. Dots alone would be resolved on the way, to another path of the API server."""


class ReadError(Exception):
    """It could not be read; the message is one sentence for people."""


class NotThereError(ReadError):
    """There is no such thing."""


class _Bystander:
    """Who may never write."""

    held = False
    term = Leader()


@dataclass(frozen=True, slots=True)
class Found:
    """The list as it was read."""

    rows: tuple[Row, ...]
    unreadable: tuple[Unreadable, ...]
    unread: tuple[Unread, ...] = ()
    cut: bool = False
    """Whether there are more, which were not read."""


class Rollouts:
    """The rollouts of the namespaces the operator serves."""

    def __init__(self, client: ApiClient, clock: Clock, namespaces: Sequence[str]) -> None:
        """Read through `client`; no `namespaces` means all."""
        self._cluster = KubernetesCluster(client, Telemetry(), _Bystander(), instance="page")
        self._evidence = ConfigMapEvidence(client, self._cluster)
        self._documents = Documents(client, seconds=CALL_SECONDS)
        self._namespaces = frozenset(namespaces)
        self._served = tuple(dict.fromkeys(namespaces)) or ("",)
        self._clock = clock
        self._one: SharedAnswers[Seen] = SharedAnswers(clock, KEPT)
        self._all: SharedAnswers[Found] = SharedAnswers(clock, KEPT)
        self._list_seconds = 0.0
        self._reading_evidence = asyncio.Semaphore(EVIDENCE_AT_ONCE)

    async def close(self) -> None:
        """End what is under way."""
        await self._one.close()
        await self._all.close()

    async def one(self, namespace: str, name: str) -> Seen:
        """Return one rollout. Raises `ReadError`."""
        if self._namespaces and namespace not in self._namespaces:
            raise NotThereError(f"This operator does not serve the namespace {namespace}.")
        if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
            raise NotThereError(f"There is no SarkRollout {namespace}/{name}.")

        async def read() -> Seen:
            return _seen(await self._cluster.read_rollout(namespace, name))

        try:
            return await self._one.get((namespace, name), ONE_SECONDS, read)
        except ObjectMissingError as error:
            raise NotThereError(f"There is no SarkRollout {namespace}/{name}.") from error
        except ClusterError as error:
            raise ReadError(f"{error}.") from error

    async def all(self) -> Found:
        """Return all rollouts. Raises `ReadError`."""
        try:
            return await self._all.get("all", max(ALL_SECONDS, 10 * self._list_seconds), self._list)
        except ClusterError as error:
            raise ReadError(f"{error}.") from error

    async def record(self, seen: Seen, number: int) -> tuple[EvidenceRecord, str]:
        """Return one decision's record and its text. Raises `ReadError`."""
        ledger = seen.status.ledger
        if not ledger.kept_from <= number <= ledger.records:
            kept = f"records {ledger.kept_from} to {ledger.records} are kept"
            raise NotThereError(f"There is no record {number} of {seen.key}: {kept}.")
        if number >= ledger.first_unfiled:
            text = ledger.unfiled[number - ledger.first_unfiled]
        else:
            text = await self._filed(seen, number)
        try:
            return to_record(text), text
        except ValueError as error:
            raise ReadError(f"Record {number} of {seen.key} cannot be read: {error}.") from error

    async def _filed(self, seen: Seen, number: int) -> str:
        segment = [each for each in seen.status.ledger.segments if each.first <= number][-1]
        name = segment_name(seen.name, seen.uid, segment.index)
        try:
            async with self._reading_evidence:
                found = await self._evidence.read(seen.namespace, name)
        except ClusterError as error:
            raise ReadError(f"{error}.") from error
        text = found.records.get(record_key(number))
        if text is None:
            where = f"ConfigMap {seen.namespace}/{name}"
            raise NotThereError(f"Record {number} is not in {where}: sark-rollout history --verify says more.")
        return text

    async def _list(self) -> Found:
        """Read the list in small parts, each made into rows before the next is read.

        A namespace that is refused hides no other. Where all are, or nobody answers, there is no list to show.
        """
        begun = self._clock.monotonic()
        rows: list[Row] = []
        unreadable: list[Unreadable] = []
        refusals: dict[str, ClusterError] = {}
        cut = False
        async with aclosing(self._objects(refusals)) as objects:
            async for each in objects:
                if cut := len(rows) + len(unreadable) >= MOST:
                    break
                try:
                    rows.append(row(_seen(each), self._clock.now()))
                except UnreadableError as error:
                    unreadable.append(Unreadable(each.key, str(error)))
        if len(refusals) == len(self._served):
            raise next(iter(refusals.values()))
        self._list_seconds = self._clock.monotonic() - begun
        unread = tuple(Unread(namespace, str(error)) for namespace, error in refusals.items())
        return Found(tuple(rows), tuple(unreadable), unread, cut)

    async def _objects(self, refusals: dict[str, ClusterError]) -> AsyncGenerator[RolloutObject, None]:
        """Yield the rollouts of one namespace after another, and put into `refusals` where and why there may be more."""
        for namespace in self._served:
            try:
                async for part in self._parts(namespace):
                    for each in part:
                        yield RolloutObject(each)
            except UnavailableError:
                raise
            except ClusterError as error:
                refusals[namespace] = error

    async def _parts(self, namespace: str) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        token: str | None = None
        while True:
            call = self._documents.get(rollouts_path(namespace), {"limit": CHUNK, "continue": token})
            answer = await self._cluster.ask("list", f"SarkRollouts of {namespace or 'all namespaces'}", call)
            yield answer.get("items") or ()
            token = (answer.get("metadata") or {}).get("continue")
            if not token:
                return


def _seen(rollout: RolloutObject) -> Seen:
    identity = rollout.identity()
    return Seen(
        namespace=rollout.namespace,
        name=rollout.name,
        uid=rollout.uid,
        version=rollout.resource_version,
        generation=identity.generation,
        deleting=rollout.deleting,
        created_at=identity.created_at,
        spec=rollout.spec(),
        status=rollout.status(),
    )
