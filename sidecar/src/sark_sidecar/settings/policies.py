"""Settings of the source of the policies."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from sark_sidecar.seconds import Seconds

from .fields import Section


class PolicySettings(Section):
    """The policies of the embedded engine; they must be those OPA serves."""

    directory: Path
    poll_interval: Seconds = Field(default=2.0, ge=0.1, le=60)
    max_files: int = Field(default=1000, ge=1, le=100_000)
    max_bytes: int = Field(default=33_554_432, ge=1, le=1_073_741_824)
