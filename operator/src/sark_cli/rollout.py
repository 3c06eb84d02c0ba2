"""A SarkRollout as it was read from the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sark_api.spec import SarkRolloutSpec
from sark_api.status import SarkRolloutStatus
from sark_operator.shell.api import RolloutObject

from .printable import cleaned


@dataclass(frozen=True, slots=True)
class Rollout:
    """The parsed object, and the object itself."""

    name: str
    """namespace/name."""
    spec: SarkRolloutSpec
    status: SarkRolloutStatus
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_object(cls, body: Mapping[str, Any]) -> Rollout:
        """Read the object `kubectl get -o json` gives; a fresh one has an empty status.

        Raises:
            UnreadableError: it does not fit the models this command was built with.
        """
        found = RolloutObject(cleaned(body))
        return cls(name=found.key, spec=found.spec(), status=found.status(), body=body)

    @property
    def _metadata(self) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self.body.get("metadata") or {}
        return metadata

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.name.partition("/")[0]

    @property
    def short_name(self) -> str:
        """Its name without the namespace."""
        return self.name.partition("/")[2]

    @property
    def generation(self) -> int:
        """Grows with every change of the spec."""
        return int(self._metadata.get("generation") or 0)

    @property
    def resource_version(self) -> str:
        """Changes with every write, of the status too."""
        return str(self._metadata.get("resourceVersion") or "")

    @property
    def deleting(self) -> bool:
        """Whether someone has asked for its deletion."""
        return bool(self._metadata.get("deletionTimestamp"))

    @property
    def answered(self) -> bool:
        """Whether the operator has looked at the spec as it is now."""
        return self.status.observed_generation >= self.generation

    @property
    def created_at(self) -> datetime | None:
        """When it was created."""
        created = self._metadata.get("creationTimestamp")
        return datetime.fromisoformat(created) if created else None
