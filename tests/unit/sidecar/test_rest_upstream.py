"""What is handed on to OPA is sent once where it changes something, and nobody is told otherwise than it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from sark_sidecar.rest.request import RestRequest
from sark_sidecar.rest.upstream import AT_A_TIME, NothingSent, OpaUpstream, Undetermined
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


@dataclass
class ScriptedOpa:
    """An OPA that answers every request alike, or not at all."""

    answer: bytes | None
    """None: it never answers."""
    targets: list[bytes] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lengths = [
                    line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
                ]
                await reader.readexactly(int(lengths[0]) if lengths else 0)
                self.targets.append(head.split(b" ")[1])
                if self.answer is not None:
                    writer.write(self.answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted_opa(answer: bytes | None, *, within: str = "5s") -> AsyncIterator[tuple[ScriptedOpa, OpaUpstream]]:
    opa = ScriptedOpa(answer)
    server = await asyncio.start_server(opa.serve, "127.0.0.1", 0)
    opa.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        async with OpaUpstream(OpaSettings(url=opa.url, timeout=within), max_answer_bytes=1000) as up:
            yield opa, up
    finally:
        server.close()


TOO_LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b" " * 1001
MOVED = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /v1/data/elsewhere\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", [None, TOO_LONG], ids=["none in time", "too long"])
async def test_a_change_that_opa_has_taken_without_a_whole_answer_is_in_doubt(answer: bytes | None):
    # Given an OPA that takes a change and gives no answer that can be read
    async with scripted_opa(answer, within="200ms") as (opa, up):
        # When it is sent, then nobody is told that nothing was written
        with pytest.raises(Undetermined):
            await up.change(PUT)
    assert opa.targets == [b"/v1/data/users/a"]


@pytest.mark.asyncio
@pytest.mark.parametrize("change", [PUT, DELETE, PATCH], ids=lambda change: change.method)
async def test_what_is_handed_on_as_a_read_changes_nothing(change: RestRequest):
    async with scripted_opa(b"HTTP/1.1 204 No Content\r\n\r\n") as (opa, up):
        # When a change comes the way of reads, then it is refused and OPA does not hear of it
        assert (await up.forward(change)).status == 405
    assert opa.targets == []


@pytest.mark.asyncio
async def test_a_redirect_is_the_clients_to_follow():
    # Given an OPA that sends elsewhere
    async with scripted_opa(MOVED) as (opa, up):
        # When a read and a change are handed on, then each is asked for once, where the client said
        assert (await up.forward(READ)).status == 307
        assert (await up.change(PUT)).status == 307
    assert opa.targets == [b"/health", b"/v1/data/users/a"]


@pytest.mark.asyncio
async def test_of_a_read_without_an_answer_an_error_comes():
    async with scripted_opa(None, within="200ms") as (_, up):
        assert (await up.forward(READ)).status == 500
    async with scripted_opa(TOO_LONG) as (_, up):
        assert (await up.forward(READ)).status == 500


@pytest.mark.asyncio
async def test_more_reads_than_may_wait_are_refused_at_once():
    # Given an OPA that hangs, and as many reads as may be under way and wait
    async with scripted_opa(None) as (_, up):
        waiting = [asyncio.ensure_future(up.forward(READ)) for _ in range(2 * AT_A_TIME)]
        await asyncio.sleep(0)
        # When one more comes, then it is told so
        assert (await up.forward(READ)).status == 503
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        # And their places are free again
        assert up._waiting == 0
