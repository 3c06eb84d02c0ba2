"""A fleet's watches when the real API server goes and comes back: nobody is lost, and it is not run down."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from kubernetes import client
from kubernetes.aio.client import ApiClient

from sark_api.flags import FeatureFlags, FlagDocument
from sark_api.names import FLAGS_KEY
from sark_e2e import chart
from sark_e2e.control_plane import ControlPlane
from sark_e2e.service_account import create_service_account
from sark_sidecar.flags.cluster import cluster_client
from sark_sidecar.flags.configmap import FlagConfigMap
from sark_sidecar.flags.state import Flags, Origin, offer

NAME = "gateway-flags"
WATCHERS = 200
CLIENTS = 10
AWAY_SECONDS = 6.0


class Fleet:
    """What all watchers do, by the second."""

    def __init__(self) -> None:
        self.lists: list[float] = []
        self.watches: list[float] = []

    def busiest(self, began: float, ended: float) -> int:
        """Requests in the busiest second of a span."""
        seconds = Counter(int(at) for at in [*self.lists, *self.watches] if began <= at < ended)
        return max(seconds.values(), default=0)

    def asked(self, began: float, ended: float) -> int:
        return sum(began <= at < ended for at in [*self.lists, *self.watches])


class Watcher(FlagConfigMap):
    """The sidecar's own watch, which notes when it asks."""

    def __init__(self, api: ApiClient, namespace: str, fleet: Fleet) -> None:
        self.flags = Flags(since=datetime.now(UTC), follows_api=True)
        self.up = False
        self._fleet = fleet
        super().__init__(api, namespace, NAME, on_text=self._take, on_absent=lambda _: None, on_link=self._link)

    @property
    def revision(self) -> int:
        return self.flags.document.revision if self.flags.document else 0

    def _take(self, text: str) -> None:
        self.flags = offer(self.flags, text, Origin.WATCH, datetime.now(UTC))

    def _link(self, up: bool, reason: str) -> None:
        del reason
        self.up = up

    async def _list(self) -> str:
        self._fleet.lists.append(now())
        return await super()._list()

    async def _watch(self, version: str) -> str:
        self._fleet.watches.append(now())
        return await super()._watch(version)


def now() -> float:
    return asyncio.get_running_loop().time()


def document(revision: int) -> str:
    flags = FeatureFlags(rust_opa_enabled=True, rust_cache_enabled=True, rollout_percentage=100)
    return FlagDocument(feature_flags=flags, salt="s", rollout="t/g", revision=revision).sealed().to_json()


async def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for knows nothing of events
            await asyncio.sleep(0.02)


@pytest_asyncio.fixture
async def clients(
    api: client.ApiClient, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> AsyncIterator[list[ApiClient]]:
    """Some clients with the rights of a sidecar; each watch is a connection of its own."""
    rules = chart.rules("sidecar-rules", flags=NAME)
    account = create_service_account(
        api, control_plane.access, namespace=namespace, name="sidecar", folder=tmp_path, rules=rules
    )
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(await cluster_client(account.access.kubeconfig)) for _ in range(CLIENTS)]


@pytest.mark.asyncio
@pytest.mark.timeout(400)
async def test_a_restarted_api_server_is_not_run_down_by_its_watchers(
    api: client.ApiClient, control_plane: ControlPlane, namespace: str, clients: list[ApiClient]
):
    # Given as many watches as a large fleet has
    core = client.CoreV1Api(api)
    metadata = client.V1ObjectMeta(name=NAME)

    def body(revision: int) -> client.V1ConfigMap:
        return client.V1ConfigMap(metadata=metadata, data={FLAGS_KEY: document(revision)})

    core.create_namespaced_config_map(namespace, body(1))
    fleet = Fleet()
    watchers = [Watcher(clients[number % CLIENTS], namespace, fleet) for number in range(WATCHERS)]
    tasks = [asyncio.create_task(watcher.run()) for watcher in watchers]
    try:
        await until(lambda: all(watcher.revision == 1 and watcher.up for watcher in watchers))

        # When the API server dies, is away for a while, and is started again
        died = now()
        await asyncio.to_thread(control_plane.api_server.kill)
        await asyncio.sleep(AWAY_SECONDS)
        assert not any(watcher.up for watcher in watchers)
        back = now()
        await asyncio.to_thread(control_plane.api_server.start)
        answering = now()
        await asyncio.to_thread(core.replace_namespaced_config_map, NAME, namespace, body(2))
        await until(lambda: all(watcher.revision == 2 and watcher.up for watcher in watchers))
        caught_up = now()

        # Then all have what was written meanwhile, and none asked much more than once a second at any time. An event loop
        # that was held up lets waits end together, hence the room.
        print(  # noqa: T201 - for the table in docs/sidecar.md
            f"away: {fleet.busiest(died, back)} requests in the busiest second, "
            f"{fleet.asked(died + 1, back) / (back - died - 1):.0f}/s after the first; "
            f"back: {fleet.busiest(back, caught_up)} in the busiest second, all caught up {caught_up - answering:.1f} s after"
        )
        assert fleet.busiest(died, caught_up) <= 3 * WATCHERS
        assert fleet.asked(died + 1, back) <= WATCHERS * (back - died)
        # And each of them lists once, and not again and again
        assert sum(at >= answering for at in fleet.lists) <= 2 * WATCHERS
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
