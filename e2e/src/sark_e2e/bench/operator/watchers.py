"""Flag written to sidecars on baseline: many watchers with the sidecar's own flag source on one real ConfigMap."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from kubernetes.aio import client
from kubernetes.aio.client import ApiClient

from sark_api.flags import FeatureFlags, FlagDocument
from sark_api.names import FLAGS_KEY
from sark_e2e.bench.failure import BenchError
from sark_sidecar.flags.cluster import cluster_client
from sark_sidecar.flags.configmap import FlagConfigMap
from sark_sidecar.flags.state import Flags, Origin, offer

NAMESPACE: Final = "default"
NAME: Final = "watched-flags"
_SECONDS: Final = 120.0


class Watcher:
    """One sidecar's flags: the source that watches, and the state it feeds."""

    def __init__(self, api: ApiClient) -> None:
        self.flags = Flags(since=datetime.now(UTC), follows_api=True)
        self.reached: dict[int, float] = {}
        """When each revision was in force, monotonic."""
        self.source = FlagConfigMap(
            api, NAMESPACE, NAME, on_text=self._take, on_absent=lambda _: None, on_link=lambda _up, _why: None
        )

    def _take(self, text: str) -> None:
        self.flags = offer(self.flags, text, Origin.WATCH, datetime.now(UTC))
        if self.flags.document is not None:
            self.reached.setdefault(self.flags.document.revision, time.monotonic())


async def _measured(kubeconfig: Path, number: int, rounds: int) -> list[float]:
    async with contextlib.AsyncExitStack() as stack:
        core = client.CoreV1Api(await stack.enter_async_context(await cluster_client(kubeconfig)))
        # A client each, as in as many processes: none waits for a connection of another's.
        readers = [await stack.enter_async_context(await cluster_client(kubeconfig)) for _ in range(number)]
        metadata = client.V1ObjectMeta(name=NAME)
        await core.create_namespaced_config_map(NAMESPACE, client.V1ConfigMap(metadata=metadata, data=_data(1, 50)))
        watchers = [Watcher(reader) for reader in readers]
        tasks = [asyncio.create_task(watcher.source.run()) for watcher in watchers]
        try:
            await _all_at(watchers, 1)
            seconds: list[float] = []
            for turn in range(rounds):
                await asyncio.sleep(1.0)
                revision = 2 + 2 * turn
                await core.patch_namespaced_config_map(NAME, NAMESPACE, {"data": _data(revision, 0)})
                written = time.monotonic()
                await _all_at(watchers, revision)
                seconds += [max(0.0, watcher.reached[revision] - written) for watcher in watchers]
                await core.patch_namespaced_config_map(NAME, NAMESPACE, {"data": _data(revision + 1, 50)})
                await _all_at(watchers, revision + 1)
            return seconds
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await core.delete_namespaced_config_map(NAME, NAMESPACE)


async def _all_at(watchers: list[Watcher], revision: int) -> None:
    deadline = time.monotonic() + _SECONDS
    while missing := sum(revision not in watcher.reached for watcher in watchers):
        if time.monotonic() > deadline:
            raise BenchError(f"{missing} of {len(watchers)} watchers did not see revision {revision} in {_SECONDS:.0f} s")
        await asyncio.sleep(0.01)


def _data(revision: int, percent: int) -> dict[str, str]:
    flags = FeatureFlags(rust_opa_enabled=percent > 0, rust_cache_enabled=percent > 0, rollout_percentage=percent)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1) if percent else None
    document = FlagDocument(feature_flags=flags, salt="watched", rollout="bench/watched", revision=revision, valid_until=until)
    return {FLAGS_KEY: document.sealed().to_json()}


def seconds_to_baseline(kubeconfig: Path, number: int, rounds: int) -> list[float]:
    """Return for every watcher and round the seconds from the answered write of 0 % to 0 % in force. Raises BenchError."""
    found: list[Any] = asyncio.run(_measured(kubeconfig, number, rounds))
    return found
