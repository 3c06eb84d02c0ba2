"""What the door to Kubernetes asks to learn whether a namespace can be served."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from sark_api.names import GROUP, PLURAL, VERSION
from sark_api.status import Leader
from sark_operator.shell.api import ClusterError, NotServedError, RefusedError, UnavailableError
from sark_operator.shell.cluster import KubernetesCluster
from sark_operator.shell.connection import open_client
from sark_operator.shell.telemetry import Telemetry

pytestmark = pytest.mark.asyncio


class Standby:
    """Stands for a process that does not lead, and may read."""

    held = False
    term = Leader()


class Server:
    """An API server that refuses some verbs, with these statuses."""

    def __init__(self, refused: Mapping[str, int]) -> None:
        self._refused = refused
        self.queries: list[dict[str, str]] = []

    @asynccontextmanager
    async def door(self) -> AsyncIterator[KubernetesCluster]:
        """Open the door to it."""
        application = web.Application()
        for path in ("/api", "/apis", f"/apis/{GROUP}/{VERSION}"):
            application.router.add_get(path, self._discover)
        for place in ("", "/namespaces/shop"):
            application.router.add_get(f"/apis/{GROUP}/{VERSION}{place}/{PLURAL}", self._answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with open_client(configuration) as client:
                yield KubernetesCluster(client, Telemetry(), Standby(), instance="operator-1")
        finally:
            await runner.cleanup()

    async def _discover(self, _: web.Request) -> web.Response:
        return self._refusal("discover") or web.json_response({})

    async def _answer(self, request: web.Request) -> web.Response:
        self.queries.append(dict(request.query))
        if "watch" in request.query:
            return self._refusal("watch") or web.Response()
        return self._refusal("list") or web.json_response({"metadata": {"resourceVersion": "7"}, "items": []})

    def _refusal(self, verb: str) -> web.Response | None:
        if verb not in self._refused:
            return None
        return web.json_response({"kind": "Status", "message": f"{verb}: no"}, status=self._refused[verb])


@pytest.mark.parametrize("namespace", ["", "shop"])
async def test_a_list_and_a_watch_from_there_are_asked_for(namespace: str):
    server = Server({})
    async with server.door() as door:
        await door.check_rollouts(namespace)
        await door.check_discovery()
    listed, watched = server.queries
    assert listed == {"limit": "1"}
    assert (watched["watch"], watched["resourceVersion"], watched["timeoutSeconds"]) == ("true", "7", "1")


@pytest.mark.parametrize("verb", ["list", "watch"])
@pytest.mark.parametrize(
    ("status", "error"),
    [(403, RefusedError), (404, NotServedError), (410, UnavailableError), (429, UnavailableError), (503, UnavailableError)],
)
async def test_what_may_not_be_done_is_named(verb: str, status: int, error: type[ClusterError]):
    async with Server({verb: status}).door() as door:
        with pytest.raises(error, match=f"^{verb} sarkrollouts.sark.dev of namespace shop: {verb}: no"):
            await door.check_rollouts("shop")


async def test_an_api_server_that_tells_nobody_what_it_serves_is_found_out():
    async with Server({"discover": 403}).door() as door:
        with pytest.raises(RefusedError, match="read api: discover: no"):
            await door.check_discovery()
