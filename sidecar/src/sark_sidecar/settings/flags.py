"""Settings of the source of the flag document."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from sark_sidecar.seconds import Seconds

from .fields import Section

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class FlagMode(StrEnum):
    """Where the flags come from."""

    WATCH = "watch"
    FILE = "file"
    STATIC = "static"


class Assignment(StrEnum):
    """How subjects are assigned to an arm."""

    MURMUR3 = "murmur3"
    SARK_MD5 = "sark-md5"
    """For a fleet that comes from SARK: whoever was in its new arm stays there. `flagd.json` does not follow it."""


class FlagSettings(Section):
    """The source of the flag document."""

    mode: FlagMode = FlagMode.STATIC
    """Where the flags come from: a ConfigMap that is watched, a file, or feature_flags of this configuration."""
    namespace: str = Field(default="", max_length=63)
    """Of the ConfigMap; empty: the pod's own."""
    config_map: str = Field(default="", max_length=253)
    """The ConfigMap to watch; required with mode watch."""
    file: Path | None = None
    """A mounted copy; with mode watch it is read too."""
    state_file: Path | None = None
    """Where the last good document is kept over restarts."""
    kubeconfig: Path | None = None
    """Empty: the pod's service account."""
    start_timeout: Seconds = Field(default=10.0, ge=0, le=300)
    """After this long without any answer of the source the sidecar is ready all the same, on baseline."""
    salt: str = Field(default="static", max_length=256)
    """Of the assignment, with mode static."""
    assignment: Assignment = Assignment.MURMUR3
    """How subjects are assigned to an arm; sark-md5 is for a fleet that comes from SARK. The same in all sidecars."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.mode is FlagMode.WATCH:
            if not self.config_map:
                raise ValueError("mode watch needs config_map, the name of the ConfigMap with the flag document")
            self.effective_namespace()
        if self.mode is FlagMode.FILE and self.file is None:
            raise ValueError("mode file needs file, the path of the flag document")
        return self

    def effective_namespace(self) -> str:
        """Return the ConfigMap's namespace: the one set, else the pod's own."""
        if self.namespace:
            return self.namespace
        try:
            return _NAMESPACE_FILE.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError("mode watch outside a pod needs namespace, the ConfigMap's namespace") from error
