"""The embedded engine's policies: compiled off the event loop, replaced when the folder changes, never by worse ones."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import sark_engine
import structlog
from sark_engine import Engine, Policies

from sark_sidecar import exact_json
from sark_sidecar.settings import PolicySettings
from sark_sidecar.telemetry import Telemetry

from .directory import FolderLimits, PolicyFolderError, PolicySources, folder_signature, read_policies
from .verdicts import PolicyVerdicts

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CompiledFolder:
    """Policies that compiled."""

    policies: Policies
    sources: PolicySources
    """What they were made from."""
    verdicts: PolicyVerdicts
    """What of them the engine answers for."""


def compile_folder(settings: PolicySettings) -> CompiledFolder:
    """Return the compiled policies of the folder. Blocks; call it in a thread.

    Raises:
        PolicyFolderError: the folder cannot be read, or a module or its data is refused.
    """
    folder = settings.directory
    before = folder_signature(folder)
    sources = read_policies(folder, FolderLimits(settings.max_files, settings.max_bytes))
    if folder_signature(folder) != before:
        raise PolicyFolderError(f"{folder} is being written")
    try:
        policies = Policies(sources.modules, exact_json.dumps(sources.data))
    except exact_json.JsonError as error:
        raise PolicyFolderError(f"data: {error}") from error
    except sark_engine.PolicyError as error:
        raise PolicyFolderError(str(error)) from error
    return CompiledFolder(policies, sources, PolicyVerdicts.of(policies))


class EmbeddedPolicies:
    """The set in force, and the follower of its folder."""

    def __init__(self, settings: PolicySettings, compiled: CompiledFolder) -> None:
        """Begin with a set that compiled."""
        self._settings = settings
        self._compiled = compiled
        self._seen: object = None
        self.since = datetime.now(UTC)
        """Since when this set serves."""
        self.problem = ""
        """Why the folder's present content does not serve; empty when it does."""

    @property
    def policies(self) -> Policies:
        """The compiled set in force."""
        return self._compiled.policies

    @property
    def sources(self) -> PolicySources:
        """What it was made from."""
        return self._compiled.sources

    @property
    def verdicts(self) -> PolicyVerdicts:
        """What of it the engine answers for."""
        return self._compiled.verdicts

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
            compiled = await asyncio.to_thread(compile_folder, self._settings)
            if compiled.sources.digest != self.sources.digest:
                await asyncio.to_thread(engine.replace_policies, compiled.policies)
                self._compiled, self.since = compiled, datetime.now(UTC)
                log.info("policies replaced", revision=self.policies.revision, modules=len(self.sources.modules))
                self.verdicts.warn()
            self._seen = signature
            self.problem = ""
        except (PolicyFolderError, sark_engine.EngineError) as error:
            if str(error) != self.problem:
                telemetry.policies_refused()
                log.error(  # noqa: TRY400 - the reason is the whole story
                    "policies refused; the last good ones serve", reason=str(error), revision=self.policies.revision
                )
            self.problem = str(error)
