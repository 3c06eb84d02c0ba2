"""The connections of kopf's watches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException

from sark_operator.shell.watch_session import watch_session


class ApiServer:
    """One that gives every request the same status, and keeps what credentials it came with."""

    def __init__(self, status: int = 200, kind: str = "application/json") -> None:
        self.status, self.kind = status, kind
        self.credentials: list[str | None] = []

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Configuration]:
        application = web.Application()
        application.router.add_get("/{path:.*}", self._answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield configuration
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.credentials.append(request.headers.get("Authorization"))
        return web.Response(status=self.status, headers={"Content-Type": self.kind})


async def asked(configuration: Configuration, times: int = 1) -> int:
    """Ask so often on the same connections, and return the last status."""
    info = watch_session(configuration, lambda: None)
    async with info.aiohttp_session as session:
        for _ in range(times):
            async with session.get(f"{info.server}/apis") as answer:
                status = answer.status
    return status


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [400, 401, 404, 405, 410, 422])
async def test_what_would_end_a_watch_counts_as_a_broken_connection(status: int):
    async with ApiServer(status).serving() as configuration:
        with pytest.raises(aiohttp.ClientConnectionError, match=f"refused with HTTP {status} "):
            await asked(configuration)


@pytest.mark.asyncio
async def test_the_page_of_a_proxy_under_repair_counts_as_a_broken_connection():
    async with ApiServer(200, "text/html; charset=utf-8").serving() as configuration:
        with pytest.raises(aiohttp.ClientConnectionError, match="answered with text/html in place of JSON"):
            await asked(configuration)


@pytest.mark.asyncio
async def test_a_stream_of_json_is_json():
    async with ApiServer(200, "application/json;stream=watch").serving() as configuration:
        assert await asked(configuration) == 200


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [200, 403, 429, 500, 503])
async def test_what_kopf_knows_to_take_is_left_to_it(status: int):
    async with ApiServer(status).serving() as configuration:
        assert await asked(configuration) == status


@pytest.mark.asyncio
async def test_each_request_has_the_token_as_it_is_by_then():
    # Given a token that is renewed all the time
    tokens = iter(["bearer first", "bearer second"])

    def renew(configuration: Configuration) -> None:
        configuration.api_key["BearerToken"] = next(tokens, "bearer third")

    server = ApiServer()
    async with server.serving() as configuration:
        configuration.refresh_api_key_hook = renew
        # When two requests follow each other, then each has one of its own
        await asked(configuration, times=2)
    assert server.credentials == ["Bearer second", "Bearer third"]


@pytest.mark.asyncio
async def test_a_token_that_is_not_there_for_a_moment_counts_as_a_broken_connection():
    # Given a file of a token that is being replaced when the second request reads it
    reads: list[None] = []

    def renew(configuration: Configuration) -> None:
        reads.append(None)
        if len(reads) > 1:
            raise ConfigException("Token file exists but empty.")

    async with ApiServer().serving() as configuration:
        configuration.refresh_api_key_hook = renew
        with pytest.raises(aiohttp.ClientConnectionError, match="there is no token: Token file exists but empty"):
            await asked(configuration)


@pytest.mark.asyncio
async def test_a_user_with_a_password_sends_it():
    server = ApiServer()
    async with server.serving() as configuration:
        configuration.username, configuration.password = "me", "secret"
        await asked(configuration)
    assert server.credentials == ["Basic bWU6c2VjcmV0"]
