"""A rollout as the page was given it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sark_api.spec import SarkRolloutSpec
from sark_api.status import SarkRolloutStatus


@dataclass(frozen=True, slots=True)
class Seen:
    """One rollout at one moment."""

    namespace: str
    name: str
    uid: str
    version: str
    """Opaque version of the object: two readings of one version show the same."""
    generation: int
    deleting: bool
    created_at: datetime | None
    spec: SarkRolloutSpec
    status: SarkRolloutStatus

    @property
    def key(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"

    @property
    def href(self) -> str:
        """Where the page shows it."""
        return f"/rollouts/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A rollout that does not fit the model."""

    key: str
    problem: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A namespace whose rollouts could not be read, or not all of them."""

    namespace: str
    problem: str
