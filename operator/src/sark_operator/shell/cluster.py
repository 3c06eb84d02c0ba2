"""The door to Kubernetes, on `kubernetes.aio`."""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar
from uuid import uuid4

import aiohttp
from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.exceptions import ApiException
from pydantic import ValidationError

from sark_api.flags import FlagDocument, FlagDocumentError, flagd_document, parse_flag_document
from sark_api.names import API_VERSION, FIELD_MANAGER, FINALIZER, FLAGD_KEY, FLAGS_KEY, GROUP, KIND, PLURAL, VERSION
from sark_operator.core.decision import WriteFlags
from sark_operator.core.observation import ObservedFlags
from sark_operator.shell.api import (
    ClusterError,
    EventNote,
    ForeignOwnerError,
    NamespaceEndingError,
    NotLeadingError,
    NotServedError,
    ObjectMissingError,
    ReadyPod,
    RefusedError,
    RolloutObject,
    StaleVersionError,
    UnavailableError,
)
from sark_operator.shell.documents import APPLY, JSON_PATCH, Documents, Path, Query, document
from sark_operator.shell.fence import Leads, require_lead
from sark_operator.shell.places import Places
from sark_operator.shell.pods import MAX_PODS, ExpiredError, SeenPod, ready_pod, seen_pod, selector, too_many
from sark_operator.shell.telemetry import Telemetry

Kept = TypeVar("Kept")

CALL_SECONDS = 5.0
"""Deadline of every single request to the API server."""
REQUESTS_AT_ONCE = 32
"""Requests to the API server under way at once. Further ones wait in line, and their deadlines begin when their turn has come:
a thousand rollouts that are due at once would else let each other time out, and be tried again on top. What may go back comes
before what is only due, and a share that is taken down does not wait."""
PAGE_SIZE = 500
MAX_UIDS = 4_096
"""Flags ConfigMaps whose uid is remembered, each for an evaluation at least: many times as many as are under way at once."""
MAX_FLAG_DOCUMENTS = 4_096
"""Flag documents that are remembered as they were read, some kilobytes each."""
MAX_WATCHED_PODS = 20_000
"""A namespace with more pods is not followed; its targets are asked for one by one."""
_MAX_NOTE_BYTES = 1024
_MAX_MANAGER = 64
_MOST_MANAGERS = 3
_READING = frozenset({"read", "list"})
_GONE, _TOO_MANY_REQUESTS = 410, 429
_LONGEST_RETRY_AFTER = 60.0


class KubernetesCluster:
    """`Cluster` on a real API server."""

    def __init__(self, client: ApiClient, telemetry: Telemetry, leads: Leads, *, instance: str) -> None:
        self._documents = Documents(client, seconds=CALL_SECONDS)
        self._telemetry = telemetry
        self._leads = leads
        self._instance = instance[:128]
        self._places = Places(REQUESTS_AT_ONCE)
        self._uids: OrderedDict[tuple[str, str], str] = OrderedDict()
        """By namespace and name of a flags ConfigMap: the uid it had when it was last read. Any other is read anew."""

    async def read_rollout(self, namespace: str, name: str) -> RolloutObject:
        """Return the rollout as it is now."""
        call = self._documents.get(rollouts_path(namespace, name), read=RolloutObject.from_json)
        rollout: RolloutObject = await self._ask("read", f"SarkRollout {namespace}/{name}", call)
        return rollout

    async def check_rollouts(self, namespace: str) -> None:
        """Ask whether rollouts exist and may be listed and watched there; an empty `namespace` means the whole cluster.

        Raises:
            ClusterError: they do not, or may not be.
        """
        path, what = rollouts_path(namespace), f"{PLURAL}.{GROUP}" + (f" of namespace {namespace}" if namespace else "")
        answer = await self._ask("list", what, self._documents.get(path, {"limit": 1}))
        version = str((answer.get("metadata") or {}).get("resourceVersion") or "")
        try:
            async with self._events(f"watch {what}", path, version, seconds=1, patience=CALL_SECONDS):
                pass
        except ExpiredError as error:
            raise UnavailableError(str(error)) from error

    async def check_discovery(self) -> None:
        """Ask whether the API server tells what it serves, which kopf asks before its first watch; raises `ClusterError`."""
        for path in (("api",), ("apis",), ("apis", GROUP, VERSION)):
            await self._ask("read", "/".join(path), self._documents.get(path))

    async def write_status(self, rollout: RolloutObject, status: Mapping[str, object]) -> RolloutObject:
        """Replace the status; the resourceVersion in the body makes it conditional.

        What a CRD does not know that is older than this operator is dropped by the API server: a status with less in it is
        better than none.
        """
        call = self._documents.replace(
            rollouts_path(rollout.namespace, rollout.name, "status"),
            {**rollout.document(), "status": dict(status)},
            {"fieldManager": FIELD_MANAGER, "fieldValidation": "Ignore"},
            read=RolloutObject.from_json,
        )
        written: RolloutObject = await self._ask("write", f"status of SarkRollout {rollout.key}", call)
        return written

    async def add_finalizer(self, rollout: RolloutObject) -> RolloutObject:
        """Append our finalizer."""
        if rollout.finalizers:
            change: dict[str, object] = {"op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER}
        else:
            change = {"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}
        return await self._patch_rollout(rollout, change)

    async def remove_finalizer(self, rollout: RolloutObject) -> None:
        """Take our finalizer off; one that is not there is no error."""
        if rollout.guarded:
            index = rollout.finalizers.index(FINALIZER)
            await self._patch_rollout(rollout, {"op": "remove", "path": f"/metadata/finalizers/{index}"})

    async def _patch_rollout(self, rollout: RolloutObject, change: Mapping[str, object]) -> RolloutObject:
        test = {"op": "test", "path": "/metadata/resourceVersion", "value": rollout.resource_version}
        call = self._documents.patch(
            rollouts_path(rollout.namespace, rollout.name),
            [test, dict(change)],
            {"fieldManager": FIELD_MANAGER},
            kind=JSON_PATCH,
            read=RolloutObject.from_json,
        )
        patched: RolloutObject = await self._ask(
            "write", f"finalizer of SarkRollout {rollout.key}", call, failed_test_is_stale=True
        )
        return patched

    async def read_flags(self, namespace: str, name: str) -> ObservedFlags:
        """Return the flags ConfigMap as it is now."""
        self._uids.pop((namespace, name), None)
        call = self._documents.get(config_maps_path(namespace, name))
        found = await self._ask("read", f"ConfigMap {namespace}/{name}", call)
        metadata = found.get("metadata") or {}
        version = str(metadata.get("resourceVersion") or "")
        if not version:
            raise ClusterError(f"read ConfigMap {namespace}/{name}: the API server's answer names no version")
        self._uids[namespace, name] = str(metadata.get("uid") or "")
        while len(self._uids) > MAX_UIDS:
            self._uids.popitem(last=False)
        owners = _other_owners(metadata.get("managedFields") or ())
        text = (found.get("data") or {}).get(FLAGS_KEY)
        if not text:
            return ObservedFlags(version, None, owners=owners)
        try:
            return ObservedFlags(version, _parsed(text), owners=owners)
        except FlagDocumentError as error:
            return ObservedFlags(version, None, f"ConfigMap {namespace}/{name}: {error}", owners)

    async def write_flags(self, namespace: str, name: str, write: WriteFlags) -> str:
        """Apply both spellings of the document under the precondition in `write`.

        Creating goes in two steps, an empty ConfigMap first: a plain apply would silently merge into one that appeared in
        between, while a create refuses; and the empty one leaves no field owned by the create, which the next apply would
        otherwise meet as a conflict with ourselves.

        The uid is a precondition too: where the object is gone, an apply with a resourceVersion alone would create it anew.
        """
        version = write.resource_version or await self._create_empty(namespace, name)
        if (namespace, name) not in self._uids:
            await self._read_uid(namespace, name)
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": self._uids[namespace, name],
                "resourceVersion": version,
            },
            "data": {FLAGS_KEY: write.document.to_json(), FLAGD_KEY: flagd_document(write.document)},
        }
        query: Query = {"fieldManager": FIELD_MANAGER, "force": "true" if write.force else "false"}
        call = self._documents.patch(config_maps_path(namespace, name), body, query, kind=APPLY)
        written = await self._ask("write", f"ConfigMap {namespace}/{name}", call, urgent=write.force)
        return str(written["metadata"]["resourceVersion"])

    async def _read_uid(self, namespace: str, name: str) -> None:
        """Learn the uid again, which another rollout's reading has just dropped. One that is gone by now has changed."""
        try:
            await self.read_flags(namespace, name)
        except ObjectMissingError as error:
            raise StaleVersionError(str(error)) from error

    async def _create_empty(self, namespace: str, name: str) -> str:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}
        call = self._documents.create(config_maps_path(namespace), body, {"fieldManager": FIELD_MANAGER})
        metadata = (await self._ask("create", f"ConfigMap {namespace}/{name}", call))["metadata"]
        self._uids[namespace, name] = str(metadata["uid"])
        return str(metadata["resourceVersion"])

    async def ready_pods(self, namespace: str, labels: Mapping[str, str]) -> Sequence[ReadyPod]:
        """Return the ready pods that carry all `labels`, by name."""
        pods, _ = await self._pods(namespace, selector(labels), ready_pod, MAX_PODS, too_many(labels))
        return tuple(sorted(pods, key=lambda pod: pod.name))

    async def all_pods(self, namespace: str) -> tuple[Sequence[SeenPod], str]:
        """Return what is kept of every ready pod of a namespace, and the version from which a watch goes on."""
        crowd = RefusedError(f"namespace {namespace} has more than {MAX_WATCHED_PODS} pods, which is too many to follow")
        return await self._pods(namespace, None, seen_pod, MAX_WATCHED_PODS, crowd)

    async def _pods(
        self,
        namespace: str,
        wanted: str | None,
        keep: Callable[[Mapping[str, Any]], Kept | None],
        most: int,
        crowd: RefusedError,
    ) -> tuple[Sequence[Kept], str]:
        """Return what to `keep` of all pods, and the version of the list. Raises `crowd` beyond `most` pods.

        Each page is reduced at once: as documents a few thousand pods are more memory than all the rest.
        """
        what = f"pods of namespace {namespace}" + (f" with {wanted}" if wanted else "")
        kept: list[Kept] = []
        seen, token = 0, None
        while True:
            query: Query = {"labelSelector": wanted, "limit": PAGE_SIZE, "continue": token}
            page = await self._ask("list", what, self._documents.get(pods_path(namespace), query))
            metadata, items = page.get("metadata") or {}, page.get("items") or ()
            kept.extend(found for found in map(keep, items) if found is not None)
            seen, token = seen + len(items), metadata.get("continue")
            if seen > most:
                raise crowd
            if not token:
                return kept, str(metadata.get("resourceVersion") or "")

    @asynccontextmanager
    async def pod_events(
        self, namespace: str, version: str, *, seconds: int, patience: float
    ) -> AsyncIterator[AsyncIterator[Mapping[str, Any]]]:
        """Open the watch of a namespace's pods that goes on from `version` for so many `seconds`.

        A server that has not ended it after `patience` more has gone away without a word.

        Raises:
            ExpiredError: the server no longer has what came after `version`.
            ClusterError: the watch cannot be opened, or has broken off.
        """
        what = f"watch pods of namespace {namespace}"
        async with self._events(what, pods_path(namespace), version, seconds=seconds, patience=patience) as events:
            yield events

    @asynccontextmanager
    async def _events(
        self, what: str, path: Path, version: str, *, seconds: int, patience: float
    ) -> AsyncIterator[AsyncIterator[Mapping[str, Any]]]:
        """Open the watch at `path`, as `pod_events` does."""
        query: Query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": seconds,
        }
        sent_at = time.monotonic()
        try:
            async with self._documents.lines(path, query, seconds=seconds + patience) as lines:
                self._telemetry.api_call("watch", time.monotonic() - sent_at)
                yield (document(line) async for line in lines if line)
        except ApiException as error:
            if error.status == _GONE:
                raise ExpiredError(f"{what}: {_message(error)}") from error
            problem = translate(what, error)
        except TimeoutError:
            problem = UnavailableError(f"{what}: the API server has fallen silent")
        except (aiohttp.ClientError, OSError) as error:
            problem = UnavailableError(f"{what}: it has broken off: {error}")
        except (ValueError, TypeError, RecursionError) as error:
            problem = ClusterError(f"{what}: an event has an unexpected form: {error}")
        else:
            return
        self._telemetry.api_error("watch", type(problem).__name__)
        raise problem

    async def create_event(self, rollout: RolloutObject, note: EventNote, at: datetime) -> None:
        """Post an event in the form events.k8s.io/v1 insists on."""
        body: Any = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{rollout.name[:200]}.{uuid4().hex[:16]}", "namespace": rollout.namespace},
            # The server insists on a fraction of a second, and the client leaves one of zero out.
            "eventTime": at.replace(microsecond=at.microsecond or 1).isoformat(),
            "type": "Warning" if note.warning else "Normal",
            "reason": note.reason[:128],
            "action": note.action[:128],
            "note": _cut(note.note),
            "reportingController": f"{GROUP}/{FIELD_MANAGER}",
            "reportingInstance": self._instance,
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "namespace": rollout.namespace,
                "name": rollout.name,
                "uid": rollout.uid,
                "resourceVersion": rollout.resource_version,
            },
        }
        path = ("apis", "events.k8s.io", "v1", "namespaces", rollout.namespace, "events")
        call = self._documents.create(path, body, {})
        await self._ask("create", f"event about SarkRollout {rollout.key}", call)

    async def ask(self, verb: str, what: str, call: Coroutine[Any, Any, Any]) -> Any:
        """Await a request of another door to the same server, as this one awaits its own."""
        return await self._ask(verb, what, call)

    async def _ask(
        self,
        verb: str,
        what: str,
        call: Coroutine[Any, Any, Any],
        *,
        failed_test_is_stale: bool = False,
        urgent: bool = False,
    ) -> Any:
        """Await one request when there is a place for it, at once where it is `urgent`."""
        if urgent:
            return await self._asked(verb, what, call, failed_test_is_stale=failed_test_is_stale)
        try:
            async with self._places.place():
                return await self._asked(verb, what, call, failed_test_is_stale=failed_test_is_stale)
        finally:
            call.close()  # one that never had a place was never awaited

    async def _asked(self, verb: str, what: str, call: Coroutine[Any, Any, Any], *, failed_test_is_stale: bool) -> Any:
        """Await one request under its deadline; every failure becomes a `ClusterError` with one sentence.

        Reading is everybody's right; a change is sent only while this process leads.
        """
        try:
            if verb not in _READING:
                require_lead(self._leads, f"{verb} {what}")
        except NotLeadingError:
            call.close()
            raise
        sent_at = time.monotonic()
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await call
        except ApiException as error:
            problem = translate(f"{verb} {what}", error, failed_test_is_stale=failed_test_is_stale)
        except TimeoutError:
            problem = UnavailableError(f"{verb} {what}: the API server did not answer within {CALL_SECONDS:g} s")
        except (aiohttp.ClientError, OSError) as error:
            problem = UnavailableError(f"{verb} {what}: the API server cannot be reached: {error}")
        except ValidationError as error:
            problem = ClusterError(
                f"{verb} {what}: the API server's answer has an unexpected form ({error.error_count()} errors)"
            )
        except (ValueError, TypeError) as error:
            problem = ClusterError(f"{verb} {what}: the API server's answer has an unexpected form: {error}")
        finally:
            self._telemetry.api_call(verb, time.monotonic() - sent_at)
        self._telemetry.api_error(verb, type(problem).__name__)
        raise problem


def translate(what: str, error: ApiException, *, failed_test_is_stale: bool = False) -> ClusterError:
    """Return the error of ours that says what the API server's answer means.

    A JSON patch whose test fails is answered with 422, which otherwise means a body the schema refuses.
    """
    message = _message(error)
    sentence = f"{what}: {message}"
    status = error.status or 0
    if status == 404:  # noqa: PLR2004 - HTTP's own numbers say more than names would
        # A path that nobody serves is no object that is gone: an API server that has just begun knows no CRD yet.
        return ObjectMissingError(sentence) if _details(error).get("name") else NotServedError(sentence)
    if status == 409:  # noqa: PLR2004
        owned = any(cause.get("reason") == "FieldManagerConflict" for cause in _causes(error))
        return ForeignOwnerError(sentence) if owned else StaleVersionError(sentence)
    if status == 422 and failed_test_is_stale:  # noqa: PLR2004
        return StaleVersionError(sentence)
    if status in (_GONE, _TOO_MANY_REQUESTS) or status >= 500 or status == 0:  # noqa: PLR2004
        # What has expired, as the token of a list's next page, is there again when one begins anew.
        return UnavailableError(sentence, retry_after=_retry_after(error))
    if any(cause.get("reason") == "NamespaceTerminating" for cause in _causes(error)):
        return NamespaceEndingError(sentence)
    return RefusedError(sentence)


def _retry_after(error: ApiException) -> float:
    """Return the seconds the server asks to wait; 0 when it does not say, or says a date, which its own servers never do."""
    told = str(next((value for name, value in (error.headers or {}).items() if name.lower() == "retry-after"), ""))
    return min(float(told), _LONGEST_RETRY_AFTER) if told.isascii() and told.isdecimal() and len(told) < 9 else 0.0  # noqa: PLR2004


def _document(error: ApiException) -> Mapping[str, Any]:
    try:
        found = json.loads(error.body or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _message(error: ApiException) -> str:
    text = _document(error).get("message") or error.body or error.reason or "no reason given"
    return f"{' '.join(str(text).split())[:600]} (HTTP {error.status})"


def _causes(error: ApiException) -> Sequence[Mapping[str, Any]]:
    return _details(error).get("causes") or ()


def _details(error: ApiException) -> Mapping[str, Any]:
    details = _document(error).get("details")
    return details if isinstance(details, dict) else {}


def config_maps_path(namespace: str, *name: str) -> Path:
    """Return the path of the ConfigMaps of a namespace, or of one of them."""
    return ("api", "v1", "namespaces", namespace, "configmaps", *name)


def pods_path(namespace: str) -> Path:
    """Return the path of the pods of a namespace."""
    return ("api", "v1", "namespaces", namespace, "pods")


def rollouts_path(namespace: str, *name: str) -> Path:
    """Return the path of the rollouts of a namespace, or of one of them; an empty `namespace` means all."""
    return ("apis", GROUP, VERSION, *(("namespaces", namespace) if namespace else ()), PLURAL, *name)


@lru_cache(MAX_FLAG_DOCUMENTS)
def _parsed(text: str) -> FlagDocument:
    """Return the document in `text`, which is the same at most evaluations, with its checksum verified once."""
    return parse_flag_document(text)


def _other_owners(managed: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the field managers, other than ours by apply, that own a key of the document; the latest first."""
    found = [
        (str(entry.get("time") or ""), str(entry.get("manager") or "unnamed")[:_MAX_MANAGER])
        for entry in managed
        if (entry.get("manager"), entry.get("operation")) != (FIELD_MANAGER, "Apply")
        and {f"f:{FLAGS_KEY}", f"f:{FLAGD_KEY}"} & set((entry.get("fieldsV1") or {}).get("f:data") or {})
    ]
    return tuple(dict.fromkeys(manager for _, manager in sorted(found, reverse=True)))[:_MOST_MANAGERS]


def _cut(note: str) -> str:
    """Return `note` with at most as many bytes as an event may carry."""
    raw = note.encode()
    return note if len(raw) <= _MAX_NOTE_BYTES else raw[: _MAX_NOTE_BYTES - 3].decode(errors="ignore") + "..."
