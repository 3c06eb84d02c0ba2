"""The ConfigMaps evidence is kept in: read, made, added to, closed and given up, each write on the version that was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from kubernetes.aio.client import ApiClient

from sark_api.evidence import ANNOTATION_ROLLOUT, LABEL_EVIDENCE
from sark_api.names import API_VERSION, FIELD_MANAGER, KIND
from sark_operator.shell.api import ObjectMissingError, RolloutObject
from sark_operator.shell.cluster import CALL_SECONDS, KubernetesCluster, config_maps_path
from sark_operator.shell.documents import Documents

_ORPHAN: Final = "orphan"
"""The API server's finalizer on an object whose dependents shall outlive it."""


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A ConfigMap with a part of the chain, as it was read."""

    name: str
    uid: str
    resource_version: str
    rollout: str
    """uid of the rollout whose evidence it says it holds; empty when it is something else."""
    closed: bool
    """Whether it is immutable: nothing can be added to it."""
    records: Mapping[str, str] = field(default_factory=dict)
    """Records by key."""
    owners: Sequence[Mapping[str, object]] = ()
    """Its owner references. A rollout deleted with --cascade=orphan has taken itself off them, and is not put back."""


class EvidenceStore(Protocol):
    """Where evidence is kept. Every method is one request with a deadline and raises a `ClusterError`."""

    async def read(self, namespace: str, name: str) -> StoredSegment:
        """Return a segment; raises `ObjectMissingError` when there is none."""
        ...

    async def create(self, rollout: RolloutObject, name: str, records: Mapping[str, str], after: StoredSegment | None) -> None:
        """Make a segment of `rollout` behind another one; raises `StaleVersionError` when there is one of that name by now."""
        ...

    async def replace(
        self, rollout: RolloutObject, segment: StoredSegment, records: Mapping[str, str], *, closed: bool
    ) -> None:
        """Write what is in a segment, and close it if so told, provided it is still the one that was read."""
        ...

    async def delete(self, namespace: str, segment: StoredSegment) -> None:
        """Give a segment up, provided it is still the one that was read."""
        ...


class ConfigMapEvidence:
    """`EvidenceStore` on a real API server."""

    def __init__(self, client: ApiClient, cluster: KubernetesCluster) -> None:
        self._documents = Documents(client, seconds=CALL_SECONDS)
        self._cluster = cluster

    async def read(self, namespace: str, name: str) -> StoredSegment:
        """Return a segment."""
        call = self._documents.get(config_maps_path(namespace, name))
        found = await self._cluster.ask("read", f"ConfigMap {namespace}/{name}", call)
        metadata = found["metadata"]
        return StoredSegment(
            name=name,
            uid=str(metadata["uid"]),
            resource_version=str(metadata["resourceVersion"]),
            rollout=str((metadata.get("labels") or {}).get(LABEL_EVIDENCE, "")),
            closed=bool(found.get("immutable")),
            records=dict(found.get("data") or {}),
            owners=tuple(metadata.get("ownerReferences") or ()),
        )

    async def create(self, rollout: RolloutObject, name: str, records: Mapping[str, str], after: StoredSegment | None) -> None:
        """Make a segment. It has the owners of the one before."""
        body: Any = _body(rollout, name, records, _owners(rollout) if after is None else after.owners)
        call = self._documents.create(config_maps_path(rollout.namespace), body, {"fieldManager": FIELD_MANAGER})
        await self._cluster.ask("create", f"ConfigMap {rollout.namespace}/{name}", call)

    async def replace(
        self, rollout: RolloutObject, segment: StoredSegment, records: Mapping[str, str], *, closed: bool
    ) -> None:
        """Write what is in a segment."""
        body: Any = _body(rollout, segment.name, records, segment.owners)
        body["metadata"] |= {"uid": segment.uid, "resourceVersion": segment.resource_version}
        if closed:
            body["immutable"] = True
        path = config_maps_path(rollout.namespace, segment.name)
        call = self._documents.replace(path, body, {"fieldManager": FIELD_MANAGER})
        await self._cluster.ask("write", f"ConfigMap {rollout.namespace}/{segment.name}", call)

    async def delete(self, namespace: str, segment: StoredSegment) -> None:
        """Give a segment up."""
        conditions = {"uid": segment.uid, "resourceVersion": segment.resource_version}
        call = self._documents.delete(config_maps_path(namespace, segment.name), {"preconditions": conditions})
        try:
            await self._cluster.ask("delete", f"ConfigMap {namespace}/{segment.name}", call)
        except ObjectMissingError:
            return


def _owners(rollout: RolloutObject) -> Sequence[Mapping[str, object]]:
    """Return who owns the first segment: it goes with its rollout, for the garbage collector takes what has no owner left.

    Nobody does when the rollout is being deleted with --cascade=orphan.
    """
    if rollout.deleting and _ORPHAN in rollout.finalizers:
        return ()
    return ({"apiVersion": API_VERSION, "kind": KIND, "name": rollout.name, "uid": rollout.uid, "controller": True},)


def _body(
    rollout: RolloutObject, name: str, records: Mapping[str, str], owners: Sequence[Mapping[str, object]]
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": rollout.namespace,
            "labels": {LABEL_EVIDENCE: rollout.uid, "app.kubernetes.io/managed-by": FIELD_MANAGER},
            "annotations": {ANNOTATION_ROLLOUT: rollout.key},
            "ownerReferences": [dict(owner) for owner in owners],
        },
        "data": dict(records),
    }
