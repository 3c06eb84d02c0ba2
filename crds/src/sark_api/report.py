"""What a sidecar says of itself at `GET /flags` on its admin port: the operator's proof that a share is really served."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from .instant import PreciseInstant

FLAGS_PATH = "/flags"
MAX_REPORT_BYTES = 65_536
"""The operator refuses a longer answer."""
MAX_BASELINE_ONLY = 20
"""Most paths named in a report."""
MAX_PATH = 256
"""Longest path in a report, in characters; a longer one is cut."""
MAX_REASON = 256
"""Longest reason in a report, in characters; a longer one is cut."""


class FlagState(StrEnum):
    """Where the applied flags come from, and whether they may still be followed."""

    NONE = "none"
    """No document has been seen: baseline, 0 %."""
    WATCHING = "watching"
    """The watch of the ConfigMap is up."""
    FILE = "file"
    """Only the mounted file is used, by configuration."""
    STATIC = "static"
    """The flags are those of the sidecar's own configuration; no document is followed."""
    STALE = "stale"
    """The API is away; the last good document is still valid."""
    EXPIRED = "expired"
    """valid_until has passed: baseline, 0 %."""


class BaselineOnly(BaseModel):
    """A path that baseline answers at every share, because the embedded engine does not answer for it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str = Field(max_length=MAX_PATH)
    """Decision path, as in `authz/allow`."""
    reason: str = Field(max_length=MAX_REASON)
    """Why, as a clause."""


class FlagReport(BaseModel):
    """The flags a sidecar applies now."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: FlagState
    revision: int = Field(ge=0)
    """Revision of the applied document; 0 while there is none."""
    percentage: int = Field(ge=0, le=100)
    """Share in force: the document's, or 0 when it has expired."""
    sha256: str = Field(default="", max_length=64)
    rollout: str = Field(default="", max_length=512)
    since: PreciseInstant
    """Since when this share is in force."""
    policy_revision: str = Field(default="", max_length=64)
    """Revision of the policies the embedded engine serves."""
    baseline_policy_revision: str = Field(default="", max_length=64)
    """Revision of the policies OPA serves; empty when OPA could not be asked."""
    baseline_only_count: int = Field(default=0, ge=0)
    """How many rules of these policies baseline answers at every share."""
    baseline_only: tuple[BaselineOnly, ...] = Field(default=(), max_length=MAX_BASELINE_ONLY)
    """The first of them, by path."""
    sidecar_version: str = Field(default="", max_length=64)
    engine_version: str = Field(default="", max_length=64)
