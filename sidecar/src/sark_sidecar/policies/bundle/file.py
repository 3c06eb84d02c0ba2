"""Policies from a bundle file, looked at again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sark_sidecar.policies.compilation import CompiledPolicies
from sark_sidecar.policies.sources import PolicySourceError
from sark_sidecar.settings import PolicySettings
from sark_sidecar.whole_file import read_whole

from .content import compile_bundle


class BundleFile:
    """The source `policies.bundle.file`."""

    def __init__(self, settings: PolicySettings, path: Path) -> None:
        """Read nothing yet."""
        self._settings = settings
        self._path = path
        self._looked_at: object = None
        self._served: object = None
        self._label = ""

    async def stored(self) -> CompiledPolicies | None:
        """Return None: the file is the store."""
        return None

    async def load(self) -> CompiledPolicies | None:
        """Compile the file; None when it was not touched since it was found serving.

        Raises:
            PolicySourceError: it cannot be read, or the bundle is refused.
        """
        self._looked_at = await asyncio.to_thread(self._signature)
        if self._looked_at == self._served:
            return None
        return await asyncio.to_thread(self._compile)

    async def serves(self, compiled: CompiledPolicies) -> None:
        """Remember the file as it was looked at."""
        self._served, self._label = self._looked_at, compiled.label

    async def pause(self, *, failed: bool) -> None:
        """Wait for the interval."""
        del failed
        await asyncio.sleep(self._settings.poll_interval)

    def status(self) -> Mapping[str, Any]:
        """Return path and revision."""
        return {"file": str(self._path), "name": self._settings.bundle.name, "active_revision": self._label}

    def _signature(self) -> tuple[int, int, int]:
        try:
            status = self._path.stat()
        except OSError as error:
            raise PolicySourceError(f"{self._path}: {error.strerror}") from error
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _compile(self) -> CompiledPolicies:
        limit = self._settings.bundle.max_compressed_bytes
        before = self._signature()
        try:
            raw = read_whole(self._path, limit)
        except OSError as error:
            raise PolicySourceError(f"{self._path}: {error.strerror}") from error
        except ValueError as error:
            raise PolicySourceError(str(error)) from error
        if raw is None or self._signature() != before:
            raise PolicySourceError(f"{self._path} is being written")
        if len(raw) > limit:
            raise PolicySourceError(
                f"{self._path} has more than {limit} bytes; raise policies.bundle.max_compressed_bytes if it must"
            )
        return compile_bundle(raw, self._settings)
