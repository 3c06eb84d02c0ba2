"""What comes of an API server whose answer is no Lease."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import ApiClient, Configuration

from sark_operator.shell.api import ClusterError
from sark_operator.shell.lease import LeaseStore
from sark_operator.shell.telemetry import Telemetry

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def store(request: pytest.FixtureRequest) -> AsyncIterator[LeaseStore]:
    """One behind which every answer is this."""
    kind, body = request.param

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type=kind)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        configuration = Configuration()
        configuration.host = str(server.make_url("")).rstrip("/")
        async with ApiClient(configuration) as client:
            yield LeaseStore(client, "sark", "operator", Telemetry(), call_seconds=5)


@pytest.mark.parametrize(
    "store",
    [
        ("text/html", "<html>under repair</html>"),
        ("application/json", "<html>under repair</html>"),
        ("application/json", '["x"]'),
        ("application/json", "null"),
        ("application/json", "{}"),
    ],
    indirect=True,
    ids=["a page", "a page that calls itself JSON", "a list", "null", "an empty object"],
)
async def test_an_answer_that_is_no_lease_ends_nobody(store: LeaseStore) -> None:
    # Given a proxy that answers for the API server, then reading fails as any other failure, and is tried again
    with pytest.raises(ClusterError, match="read Lease sark/operator"):
        await store.read()
