"""The embedded engine's policies: compiled off the event loop, replaced when the folder changes, never by worse ones."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import sark_engine
import structlog
from sark_engine import Engine, Policies

from sark_sidecar import exact_json
from sark_sidecar.settings import PolicySettings
from sark_sidecar.telemetry import Telemetry

from .directory import FolderLimits, PolicyFolderError, PolicySources, folder_signature, read_policies

log = structlog.get_logger()


def compile_folder(settings: PolicySettings) -> tuple[Policies, PolicySources]:
    """Return the compiled policies of the folder and what they were made from. Blocks; call it in a thread.

    Raises:
        PolicyFolderError: the folder cannot be read, or a module or its data is refused.
    """
    folder = settings.directory
    before = folder_signature(folder)
    sources = read_policies(folder, FolderLimits(settings.max_files, settings.max_bytes))
    if folder_signature(folder) != before:
        raise PolicyFolderError(f"{folder} is being written")
    try:
        return Policies(sources.modules, exact_json.dumps(sources.data)), sources
    except exact_json.JsonError as error:
        raise PolicyFolderError(f"data: {error}") from error
    except sark_engine.PolicyError as error:
        raise PolicyFolderError(str(error)) from error


class EmbeddedPolicies:
    """The set in force, and the follower of its folder."""

    def __init__(self, settings: PolicySettings, compiled: tuple[Policies, PolicySources]) -> None:
        """Begin with a set that compiled."""
        self._settings = settings
        self._policies, self._sources = compiled
        self._seen: object = None
        self.since = datetime.now(UTC)
        """Since when this set serves."""
        self.problem = ""
        """Why the folder's present content does not serve; empty when it does."""

    @property
    def policies(self) -> Policies:
        """The compiled set in force."""
        return self._policies

    @property
    def sources(self) -> PolicySources:
        """What it was made from."""
        return self._sources

    async def follow(self, engine: Engine, telemetry: Telemetry) -> None:
        """Replace the engine's policies whenever the folder's content changes; run until cancelled."""
        while True:
            await asyncio.sleep(self._settings.poll_interval)
            await self.look(engine, telemetry)

    async def look(self, engine: Engine, telemetry: Telemetry) -> None:
        """Compare the folder with what serves once, and act on a difference."""
        try:
            signature = await asyncio.to_thread(folder_signature, self._settings.directory)
            if signature == self._seen:
                return
            policies, sources = await asyncio.to_thread(compile_folder, self._settings)
            if sources.digest != self._sources.digest:
                await asyncio.to_thread(engine.replace_policies, policies)
                self._policies, self._sources, self.since = policies, sources, datetime.now(UTC)
                log.info("policies replaced", revision=policies.revision, modules=len(sources.modules))
                warn_unsupported(policies)
            self._seen = signature
            self.problem = ""
        except (PolicyFolderError, sark_engine.EngineError) as error:
            if str(error) != self.problem:
                telemetry.policies_refused()
                log.error(  # noqa: TRY400 - the reason is the whole story
                    "policies refused; the last good ones serve", reason=str(error), revision=self._policies.revision
                )
            self.problem = str(error)


def warn_unsupported(policies: Policies) -> None:
    """Log the rules that the embedded engine cannot serve; their paths are answered by baseline."""
    for path, builtins in policies.unsupported.items():
        log.warning("path is served by baseline: the embedded engine lacks builtins", path=path, builtins=builtins)
