"""What a sidecar says of itself at `GET /flags` on its admin port: the operator's proof that a share is really served."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from .instant import PreciseInstant

FLAGS_PATH = "/flags"
MAX_REPORT_BYTES = 65_536
"""The operator refuses a longer answer."""


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
    sidecar_version: str = Field(default="", max_length=64)
    engine_version: str = Field(default="", max_length=64)
