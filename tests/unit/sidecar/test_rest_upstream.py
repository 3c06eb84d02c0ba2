"""What is handed on to OPA is sent once where it changes something, and nobody is told otherwise than it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from sark_sidecar.rest.request import RestRequest
from sark_sidecar.rest.upstream import NothingSent, OpaUpstream, Undetermined
from sark_sidecar.settings import OpaSettings

PUT = RestRequest("PUT", "/v1/data/users/a", [("If-None-Match", "*")], b'{"role":"admin"}')
DELETE = RestRequest("DELETE", "/v1/data/users/a", [], b"")
PATCH = RestRequest("PATCH", "/v1/data/users", [], b"[]")
READ = RestRequest("GET", "/health", [], b"")


@dataclass
class BreakingOpa:
    """An OPA that takes the first change and breaks the connection before it answers; it answers a second one 304."""

    stops_listening: bool
    changes: list[bytes] = field(default_factory=list)
    connections: int = 0
    url: str = ""
    stop: Callable[[], Any] = lambda: None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
        await reader.readexactly(int(lengths[0]) if lengths else 0)
        if head.startswith(b"GET"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            return True
        self.changes.append(head)
        if len(self.changes) > 1:
            writer.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")
            return True
        if self.stops_listening:
            self.stop()
        return False


@asynccontextmanager
async def breaking_opa(*, stops_listening: bool) -> AsyncIterator[BreakingOpa]:
    opa = BreakingOpa(stops_listening)
    server = await asyncio.start_server(opa.serve, "127.0.0.1", 0)
    opa.url, opa.stop = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", server.close
    try:
        yield opa
    finally:
        server.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("stops_listening", [True, False], ids=["then it is gone", "it listens again"])
@pytest.mark.parametrize("read_before", [True, False], ids=["after a read", "at first"])
@pytest.mark.parametrize("change", [PUT, DELETE, PATCH], ids=lambda change: change.method)
async def test_a_change_whose_answer_is_lost_is_in_doubt_and_not_sent_again(
    change: RestRequest, read_before: bool, stops_listening: bool
):
    # Given an OPA that has taken a change, and a connection that broke before it said so
    async with (
        breaking_opa(stops_listening=stops_listening) as opa,
        OpaUpstream(OpaSettings(url=opa.url), max_answer_bytes=1000) as up,
    ):
        if read_before:
            await up.forward(READ)
        # When it is sent, then it is neither "nothing was sent" nor what a second sending would be answered
        with pytest.raises(Undetermined):
            await up.change(change)
    # Then OPA got it once
    assert len(opa.changes) == 1


@pytest.mark.asyncio
async def test_a_change_does_not_go_over_a_connection_that_opa_may_be_closing():
    # Given a connection that a read has left open
    async with breaking_opa(stops_listening=False) as opa, OpaUpstream(OpaSettings(url=opa.url), max_answer_bytes=1000) as up:
        await up.forward(READ)
        with pytest.raises(Undetermined):
            await up.change(PUT)
        # When changes follow each other, then each has one of its own
        assert (await up.change(PUT)).status == 304
        assert (await up.change(PUT)).status == 304
        assert opa.connections == 4
        # And reads keep theirs
        await up.forward(READ)
    assert opa.connections == 4


@pytest.mark.asyncio
@pytest.mark.parametrize("change", [PUT, DELETE, PATCH], ids=lambda change: change.method)
async def test_nothing_was_sent_where_nobody_listens(change: RestRequest):
    async with breaking_opa(stops_listening=False) as opa:
        opa.stop()
        async with OpaUpstream(OpaSettings(url=opa.url), max_answer_bytes=1000) as up:
            with pytest.raises(NothingSent):
                await up.change(change)
