"""Where policies come from: what every source offers, and which one the configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sark_sidecar.settings import PolicySettings

from .bundle.file import BundleFile
from .bundle.server import BundleServer
from .compilation import CompiledPolicies
from .folder import PolicyFolder


class PolicySource(Protocol):
    """A source that is asked again and again."""

    async def stored(self) -> CompiledPolicies | None:
        """Return what is at hand before the source has been asked: a copy on disk, or None. Never raises."""

    async def load(self) -> CompiledPolicies | None:
        """Return what the source has now, compiled; None when that is what serves.

        Raises:
            PolicySourceError: it cannot be read, or is refused.
        """

    async def serves(self, compiled: CompiledPolicies) -> None:
        """Take note that what `load` returned serves now."""

    async def pause(self, *, failed: bool) -> None:
        """Wait until it is time to ask again; `failed` says how the last `load` went."""

    def status(self) -> Mapping[str, Any]:
        """Return what is known of the source, for people."""


def policy_source(settings: PolicySettings, on_persist_failure: PersistFailure) -> PolicySource:
    """Return the source that is configured."""
    if settings.directory is not None:
        return PolicyFolder(settings)
    if settings.bundle.file is not None:
        return BundleFile(settings, settings.bundle.file)
    if settings.bundle.url is not None:
        return BundleServer(settings, settings.bundle.url, on_persist_failure)
    raise ValueError("no source of policies is set")


class PersistFailure(Protocol):
    """Is told that a bundle could not be kept on disk."""

    def __call__(self) -> None:
        """Count it."""
