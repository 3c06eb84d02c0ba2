"""Uploads to a real HTTP server on loopback: what is sent, and what becomes of it when it is not taken."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sark_sidecar.decision_logs.upload import Upload
from sark_sidecar.settings import LogServiceSettings


class Receiver:
    """Takes chunks, unless told to answer something else first."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.most_bytes = 1 << 30
        self.chunks: list[list[Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []

    async def take(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self.headers.append(dict(request.headers))
        self.paths.append(request.path)
        if self.answers:
            return web.Response(status=self.answers.pop(0))
        # aiohttp's server unpacks the body itself
        text = raw if raw.startswith(b"[") else gzip.decompress(raw)
        if len(json.loads(text)) > self.most_bytes:
            return web.Response(status=413)
        self.chunks.append(json.loads(text))
        return web.Response(status=200)

    @property
    def events(self) -> list[Any]:
        return [event["n"] for chunk in self.chunks for event in chunk]


@asynccontextmanager
async def uploading(receiver: Receiver, **settings: Any) -> AsyncIterator[tuple[Upload, Counter[str]]]:
    app = web.Application()
    app.router.add_post("/{tail:.*}", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    lost: Counter[str] = Counter()
    buffer = settings.pop("buffer_bytes", 1 << 20)
    chosen = LogServiceSettings(url=f"http://127.0.0.1:{port}/api", **settings)
    upload = Upload(chosen, buffer_bytes=buffer, on_loss=lambda reason, count: lost.update({reason: count}))
    task = asyncio.create_task(upload.run())
    try:
        yield upload, lost
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await runner.cleanup()


def events(first: int, count: int, size: int = 10) -> list[bytes]:
    return [json.dumps({"n": number, "x": "y" * size}).encode() for number in range(first, first + count)]


async def sent(upload: Upload) -> None:
    await asyncio.wait_for(upload.finish(), 20)


@pytest.mark.asyncio
async def test_events_arrive_as_opa_sends_them(tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    receiver = Receiver()
    async with uploading(receiver, partition="eu-1", token_file=token) as (upload, lost):
        upload.offer(events(0, 5))
        await sent(upload)
    assert receiver.events == [0, 1, 2, 3, 4]
    assert receiver.paths == ["/api/logs/eu-1"]
    assert receiver.headers[0]["Authorization"] == "Bearer t0ken"
    assert receiver.headers[0]["Content-Encoding"] == "gzip"
    assert lost == Counter()
    assert "t0ken" not in json.dumps(upload.status())


@pytest.mark.asyncio
async def test_what_is_not_taken_is_sent_again_and_arrives_once_and_in_order():
    receiver = Receiver()
    receiver.answers = [503, 401, 302, 500]
    async with uploading(receiver, min_delay="100ms", max_delay="200ms") as (upload, lost):
        upload.offer(events(0, 3))
        async with asyncio.timeout(20):
            while not receiver.chunks:  # noqa: ASYNC110 - the receiver tells nobody
                await asyncio.sleep(0.02)
        upload.offer(events(3, 3))
        await sent(upload)
        assert upload.status()["failures_in_a_row"] == 0
    assert receiver.events == [0, 1, 2, 3, 4, 5]
    assert lost == Counter()


@pytest.mark.asyncio
async def test_many_events_go_in_chunks_and_one_that_is_too_large_is_left_out():
    receiver = Receiver()
    async with uploading(receiver, max_chunk_bytes=1024) as (upload, lost):
        incompressible = [json.dumps({"n": -1, "x": base64.b64encode(random.Random(7).randbytes(5000)).decode()}).encode()]
        upload.offer(events(0, 500) + incompressible + events(500, 500))
        await sent(upload)
    assert receiver.events == list(range(1000))
    assert len(receiver.chunks) > 2
    assert lost == Counter({"too_large": 1})


@pytest.mark.asyncio
async def test_a_service_that_takes_less_gets_less():
    receiver = Receiver()
    receiver.most_bytes = 10
    async with uploading(receiver) as (upload, lost):
        upload.offer(events(0, 200))
        await sent(upload)
    assert sorted(receiver.events) == list(range(200))
    assert lost == Counter()


@pytest.mark.asyncio
async def test_while_the_service_is_away_the_oldest_go():
    receiver = Receiver()
    receiver.answers = [503] * 1000
    async with uploading(receiver, buffer_bytes=65_536, min_delay="100ms", max_delay="100ms") as (upload, lost):
        for first in range(0, 1000, 10):
            upload.offer(events(first, 10, size=200))
            await asyncio.sleep(0)
        assert lost["buffer"] > 0
        assert upload.status()["waiting_bytes"] <= 65_536
        receiver.answers = []
        await sent(upload)
    assert receiver.events[-1] == 999
    assert len(receiver.events) == 1000 - lost["buffer"]


@pytest.mark.asyncio
async def test_a_token_that_cannot_be_read_is_a_failure_that_names_the_file_alone(tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("two words")
    async with uploading(Receiver(), token_file=token, min_delay="100ms") as (upload, _):
        upload.offer(events(0, 1))
        async with asyncio.timeout(20):
            while not upload.status()["problem"]:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)
        assert str(token) in upload.status()["problem"]
        assert "two words" not in upload.status()["problem"]
