"""Policies from a folder, looked at again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sark_sidecar.settings import PolicySettings

from .compilation import CompiledPolicies, compile_sources
from .directory import FolderLimits, folder_signature, read_policies
from .sources import PolicySourceError


def compile_folder(folder: Path, limits: FolderLimits, max_memory_bytes: int) -> CompiledPolicies:
    """Return the compiled policies of the folder. Blocks; call it in a thread.

    Raises:
        PolicySourceError: the folder cannot be read, or a module or its data is refused.
    """
    before = folder_signature(folder)
    sources = read_policies(folder, limits)
    if folder_signature(folder) != before:
        raise PolicySourceError(f"{folder} is being written")
    return compile_sources(sources, max_memory_bytes=max_memory_bytes)


class PolicyFolder:
    """The source `policies.directory`."""

    def __init__(self, settings: PolicySettings) -> None:
        """`settings.directory` must be set."""
        assert settings.directory is not None  # noqa: S101 - who makes this has looked
        self._folder = settings.directory
        self._limits = FolderLimits(settings.max_files, settings.max_bytes)
        self._max_memory_bytes = settings.max_memory_bytes
        self._interval = settings.poll_interval
        self._looked_at: object = None
        self._served: object = None

    async def stored(self) -> CompiledPolicies | None:
        """Return None: the folder is there or it is not."""
        return None

    async def load(self) -> CompiledPolicies | None:
        """Compile what lies in the folder; None when nothing was touched since it was found serving.

        Raises:
            PolicySourceError: as for compile_folder.
        """
        self._looked_at = await asyncio.to_thread(folder_signature, self._folder)
        if self._looked_at == self._served:
            return None
        return await asyncio.to_thread(compile_folder, self._folder, self._limits, self._max_memory_bytes)

    async def serves(self, compiled: CompiledPolicies) -> None:
        """Remember the folder as it was looked at."""
        del compiled
        self._served = self._looked_at

    async def pause(self, *, failed: bool) -> None:
        """Wait for the interval."""
        del failed
        await asyncio.sleep(self._interval)

    def status(self) -> Mapping[str, Any]:
        """Return its path."""
        return {"directory": str(self._folder)}
