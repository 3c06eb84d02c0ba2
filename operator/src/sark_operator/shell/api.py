"""What the operator asks of Kubernetes, and what can go wrong, without saying how it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any, Protocol, TypeVar

import msgspec
from pydantic import ValidationError

from sark_api.model import ApiModel
from sark_api.names import FINALIZER
from sark_api.spec import Mode, SarkRolloutSpec
from sark_api.status import SarkRolloutStatus
from sark_operator.core.decision import WriteFlags
from sark_operator.core.observation import Identity, ObservedFlags
from sark_operator.shell.latest import Latest

_MAX_MANAGER = 64
_SPEC, _REQUEST = "f:spec", "f:request"
"""How managedFields name `spec` and `spec.request`."""
_STEERING = frozenset({_REQUEST, "f:mode", "f:attempt", "."})
"""What of `spec` asks for something to be done; the rest says how."""
_NULL = msgspec.Raw(b"null")

_Model = TypeVar("_Model", bound=ApiModel)


class ClusterError(Exception):
    """The API server could not do what was asked; the message is one sentence for people."""


class ObjectMissingError(ClusterError):
    """There is no such object (404)."""


class StaleVersionError(ClusterError):
    """The object has changed since it was read (409, or a failed test in a JSON patch): read again and decide again."""


class ForeignOwnerError(ClusterError):
    """Another field manager owns what would be written (409 of a server-side apply without force)."""


class RefusedError(ClusterError):
    """The API server understood and said no (400, 401, 403, 422)."""


class NamespaceEndingError(RefusedError):
    """Nothing can be created any more in a namespace that is going away (403 with this cause)."""


class UnavailableError(ClusterError):
    """The API server did not answer, or asked to come back later (timeout, connection, 410, 429, 5xx)."""

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        """Take `retry_after`, the seconds for which the server asked to be left alone."""
        super().__init__(message)
        self.retry_after = retry_after


class NotServedError(ClusterError):
    """The API server, or whatever answers in its place, does not know the path: a CRD that is missing, or not served yet."""


class NotLeadingError(ClusterError):
    """This process must not act any more: another one may."""


class UnreadableError(ClusterError):
    """The object does not fit the model this operator was built with."""


class _Members(msgspec.Struct):
    """The members of an object of which a few are wanted at once: the others stay the text that they are."""

    metadata: dict[str, msgspec.Raw]
    spec: msgspec.Raw = _NULL
    status: msgspec.Raw = _NULL
    apiVersion: str = ""  # noqa: N815 - as Kubernetes writes it
    kind: str = ""


@dataclass(frozen=True, slots=True)
class RolloutObject:
    """A SarkRollout as the API server last gave it to us. What it says is parsed once: `raw` never changes.

    Where it was read from text, its largest parts still are text in `raw`, which is a quarter of the memory of their values:
    hundreds of rollouts lie here while their evaluations wait for an answer.
    """

    raw: Mapping[str, Any]
    _spec: list[SarkRolloutSpec] = field(default_factory=list, init=False, repr=False, compare=False)
    _status: list[SarkRolloutStatus] = field(default_factory=list, init=False, repr=False, compare=False)
    _target: list[Mapping[str, Any]] = field(default_factory=list, init=False, repr=False, compare=False)

    @classmethod
    def from_json(cls, text: bytes) -> RolloutObject:
        """Return the object that is written in `text`. Raises ValueError where that is none."""
        members = msgspec.json.decode(text, type=_Members)
        metadata = {
            name: part if name == "managedFields" else msgspec.json.decode(part) for name, part in members.metadata.items()
        }
        parts = {"spec": members.spec, "status": members.status}
        present = {name: part for name, part in parts.items() if part != _NULL}
        return cls({"apiVersion": members.apiVersion, "kind": members.kind, "metadata": metadata, **present})

    def document(self) -> dict[str, Any]:
        """Return the object in full, as values."""
        found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self.raw))
        return found

    @property
    def status_digest(self) -> bytes:
        """Digest of the status, the same for the same status however it was read."""
        status = _values(self.raw.get("status")) or {}
        return sha256(msgspec.json.encode(status, order="deterministic")).digest()

    @property
    def _metadata(self) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self.raw["metadata"]
        return metadata

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self._metadata["namespace"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self._metadata["name"])

    @property
    def uid(self) -> str:
        """Its uid: another object of the same name has another one."""
        return str(self._metadata["uid"])

    @property
    def key(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"

    @property
    def resource_version(self) -> str:
        """Opaque version; compared for equality only."""
        return str(self._metadata["resourceVersion"])

    @property
    def finalizers(self) -> tuple[str, ...]:
        """Names of all that must let go of it before it can be deleted."""
        return tuple(self._metadata.get("finalizers") or ())

    @property
    def guarded(self) -> bool:
        """Whether our finalizer is on it."""
        return FINALIZER in self.finalizers

    @property
    def deleting(self) -> bool:
        """Whether someone has asked for its deletion."""
        return bool(self._metadata.get("deletionTimestamp"))

    @property
    def asks_back(self) -> bool:
        """Whether its user asks for the baseline, or for its deletion, which may ask for it too."""
        spec = _values(self.raw.get("spec"))
        return self.deleting or (isinstance(spec, Mapping) and spec.get("mode") == Mode.ROLLBACK)

    @property
    def target(self) -> Mapping[str, Any]:
        """What its spec says of its target, as it stands there; nothing where that is no object."""
        if not self._target:
            spec = _values(self.raw.get("spec"))
            target = spec.get("target") if isinstance(spec, Mapping) else None
            self._target.append(target if isinstance(target, Mapping) else {})
        return self._target[0]

    def identity(self) -> Identity:
        """Return whose rollout it is, as the core wants it."""
        created = self._metadata.get("creationTimestamp")
        return Identity(
            namespace=self.namespace,
            name=self.name,
            uid=self.uid,
            generation=int(self._metadata.get("generation") or 0),
            deleting=self.deleting,
            created_at=datetime.fromisoformat(created) if created else None,
            requested_by=_manager_of_request(self._metadata.get("managedFields")),
        )

    def edited_by(self) -> str:
        """Return the field manager that wrote the spec last, as the API server recorded it; empty when it did not.

        Whoever has only steered, as the command does, has not edited what the rollout is to prove.
        """
        return _manager_of(self._metadata.get("managedFields"), lambda spec: bool(spec.keys() - _STEERING))

    def spec(self) -> SarkRolloutSpec:
        """Return the spec.

        Raises:
            UnreadableError: it does not fit the model, which the CRD's schema should have prevented.
        """
        if not self._spec:
            try:
                self._spec.append(_model(SarkRolloutSpec, self.raw.get("spec")))
            except ValidationError as error:
                raise UnreadableError(_complaint("spec", error)) from error
        return self._spec[0]

    def status(self) -> SarkRolloutStatus:
        """Return the status; one that was never written is the empty one.

        Raises:
            UnreadableError: it does not fit the model: something other than this operator wrote it.
        """
        if not self._status:
            self._status.append(_status(self.raw.get("status")))
        return self._status[0]

    def latest(self) -> Latest:
        """Return the status as one that need not be read in full yet.

        Raises:
            UnreadableError: not even its outline fits the model. The rest of it raises this where it is read.
        """
        status = self.raw.get("status") or {}
        text = status if isinstance(status, msgspec.Raw) else msgspec.Raw(msgspec.json.encode(status))
        try:
            return Latest.of(text, partial(_status, text), self.status)
        except ValidationError as error:
            raise UnreadableError(_complaint("status", error)) from error


def _status(part: Any) -> SarkRolloutStatus:
    """Return what a status says. Raises `UnreadableError`."""
    try:
        return _model(SarkRolloutStatus, part)
    except ValidationError as error:
        raise UnreadableError(_complaint("status", error)) from error


def _model(kind: type[_Model], part: Any) -> _Model:
    """Return what a part of an object says; one that is not there says nothing."""
    if isinstance(part, msgspec.Raw):
        return kind.model_validate_json(bytes(part))
    return kind.model_validate(part or {})


def _values(part: Any) -> Any:
    return msgspec.json.decode(part) if isinstance(part, msgspec.Raw) else part


def _manager_of_request(managed: Any) -> str:
    """Return which client wrote spec.request, in words the API server recorded; several may share it, the last one counts."""
    if isinstance(managed, msgspec.Raw) and _REQUEST.encode() not in bytes(managed):
        return ""
    return _manager_of(managed, lambda spec: _REQUEST in spec)


def _manager_of(managed: Any, wrote: Callable[[Mapping[str, Any]], bool]) -> str:
    """Return which client was the last that wrote what `wrote` looks for in its fields of the spec.

    The API server keeps whole seconds: of several that wrote within the last one it may be any, and all are named.
    """
    entries: Sequence[Mapping[str, Any]] = _values(managed) or ()
    owners = {
        (str(entry.get("time") or ""), str(entry.get("manager") or ""))
        for entry in entries
        if wrote((entry.get("fieldsV1") or {}).get(_SPEC) or {})
    }
    last = max((at for at, _ in owners), default="")
    return " or ".join(sorted(manager for at, manager in owners if at == last))[:_MAX_MANAGER]


def _complaint(part: str, error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join([part, *(str(step) for step in first["loc"])])
    return f"{where}: {first['msg']}; the installed CRD and this operator are of different versions, or the schema was bypassed"


@dataclass(frozen=True, slots=True)
class ReadyPod:
    """A pod that is ready, is not going away, and has an address."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class EventNote:
    """What an event says."""

    reason: str
    action: str
    note: str
    warning: bool


class Cluster(Protocol):
    """The door to Kubernetes.

    Every method is one request with a deadline (a paged list is several) and raises a `ClusterError`. None of them retries: the
    next tick does.
    """

    async def read_rollout(self, namespace: str, name: str) -> RolloutObject:
        """Return the rollout as it is now."""
        ...

    async def write_status(self, rollout: RolloutObject, status: Mapping[str, object]) -> RolloutObject:
        """Replace the status, provided the object is still the one in `rollout`, and return what came of it."""
        ...

    async def add_finalizer(self, rollout: RolloutObject) -> RolloutObject:
        """Put our finalizer on the object, provided it is still the one in `rollout`."""
        ...

    async def remove_finalizer(self, rollout: RolloutObject) -> None:
        """Take our finalizer off, provided the object is still the one in `rollout`."""
        ...

    async def read_flags(self, namespace: str, name: str) -> ObservedFlags:
        """Return the flags ConfigMap as it is now; raises `ObjectMissingError` when there is none."""
        ...

    async def write_flags(self, namespace: str, name: str, write: WriteFlags) -> str:
        """Write the flag document by server-side apply and return the ConfigMap's new resourceVersion."""
        ...

    async def ready_pods(self, namespace: str, labels: Mapping[str, str]) -> Sequence[ReadyPod]:
        """Return the ready pods that carry all `labels`, by name."""
        ...

    async def create_event(self, rollout: RolloutObject, note: EventNote, at: datetime) -> None:
        """Post an event about the rollout."""
        ...
