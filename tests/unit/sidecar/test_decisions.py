"""What is made of a Redis that answers something else than it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sark_sidecar.baseline.decisions import RedisDecisions
from sark_sidecar.breaker import BreakerState
from sark_sidecar.guard import Guard
from sark_sidecar.settings import CacheSettings

pytestmark = pytest.mark.asyncio


class Counts:
    """Counts operations by result, and takes note of a breaker."""

    def __init__(self) -> None:
        self.results: list[str] = []

    def observe_cache(self, _operation: str, result: str, _seconds: float) -> None:
        self.results.append(result)

    def __getattr__(self, name: str) -> object:
        return lambda *_, **__: None


@asynccontextmanager
async def answering(answer: bytes, *commands: bytes) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that answers `commands` (GET and MGET) with `answer`; with its address, and how often it was connected to."""
    connected: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(1)
        try:
            while line := await reader.readline():
                words = [await _word(reader) for _ in range(int(line[1:]))]
                writer.write(answer if words[0] in (commands or (b"GET", b"MGET")) else b"+OK\r\n")
                await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"redis://127.0.0.1:{port}/0?protocol=2", connected


async def _word(reader: asyncio.StreamReader) -> bytes:
    length = int((await reader.readline())[1:])
    return (await reader.readexactly(length + 2))[:-2].upper()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"*-1\r\n", id="nothing"),
        pytest.param(b"*1\r\n$4\r\ntrue\r\n", id="too few"),
        pytest.param(b"*3\r\n$4\r\ntrue\r\n$4\r\ntrue\r\n$4\r\ntrue\r\n", id="too many"),
        pytest.param(b"*2\r\n:1\r\n$4\r\ntrue\r\n", id="a number"),
        pytest.param(b"$4\r\ntrue\r\n", id="one value"),
    ],
)
async def test_what_is_no_value_for_each_key_is_a_miss_and_the_connection_is_not_used_again(answer: bytes) -> None:
    # Given a Redis, or what answers in its place
    counts = Counts()
    async with answering(answer) as (url, connected):
        settings = CacheSettings.model_validate({"redis_url": url, "redis_timeout": "5s"})
        async with RedisDecisions(settings, counts, Guard("redis", settings.redis_breaker.rule(), counts)) as decisions:  # type: ignore[arg-type]
            # When two decisions are looked up, twice, then none is found
            for asked in (1, 2):
                assert await decisions.get(["a", "b"]) == [None, None]
                assert len(connected) == asked

    # And it is counted
    assert counts.results == ["error"] * 4


@pytest.mark.parametrize("answer", [b"-MOVED x y\r\n", b"-ASK 5\r\n", b">0\r\n", b"%1\r\n*0\r\n+x\r\n", b"$x\r\n", b"-\r\n"])
async def test_whatever_is_answered_nothing_is_raised(answer: bytes) -> None:
    # Given what answers in Redis' place with what its client trips over
    counts = Counts()
    async with answering(answer, b"GET", b"MGET", b"SET") as (url, _):
        settings = CacheSettings.model_validate({"redis_url": url, "redis_timeout": "5s"})
        async with RedisDecisions(settings, counts, Guard("redis", settings.redis_breaker.rule(), counts)) as decisions:  # type: ignore[arg-type]
            # When a decision is kept and looked up, then it is neither, which is counted and told
            await decisions.set("a", b"true", 60.0)
            assert await decisions.get(["a"]) == [None]
            assert await decisions.get(["a", "b"]) == [None, None]
            assert decisions.problem
    assert counts.results == ["error"] * 4


async def test_values_are_found_in_the_order_of_their_keys() -> None:
    async with answering(b"*2\r\n$4\r\ntrue\r\n$-1\r\n") as (url, _):
        counts = Counts()
        settings = CacheSettings.model_validate({"redis_url": url, "redis_timeout": "5s"})
        async with RedisDecisions(settings, counts, Guard("redis", settings.redis_breaker.rule(), counts)) as decisions:  # type: ignore[arg-type]
            assert await decisions.get(["a", "b"]) == [b"true", None]
    assert counts.results == ["hit", "miss"]


@pytest.mark.parametrize(
    ("seconds", "kept"),
    [(60.0, [60_000]), (1.5, [1500]), (0.0011, [1]), (0.0009, []), (0.0, []), (-5.0, [])],
)
async def test_a_decision_is_kept_for_as_long_as_it_may_be_and_no_longer(
    seconds: float, kept: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts, lives = Counts(), []

    async def take(key: str, value: bytes, *, px: int) -> None:
        del key, value
        lives.append(px)

    settings = CacheSettings.model_validate({"redis_url": "redis://127.0.0.1:1/0"})
    async with RedisDecisions(settings, counts, Guard("redis", settings.redis_breaker.rule(), counts)) as decisions:  # type: ignore[arg-type]
        monkeypatch.setattr(decisions._redis, "set", take)
        # When it is put there for so long, then for so many milliseconds; for less than one not at all
        await decisions.set("a", b"true", seconds)
    assert lives == kept


async def test_a_redis_that_refuses_is_no_redis_that_is_away() -> None:
    # Given a Redis that is full: it answers, and finds what it has
    async with answering(b"-OOM command not allowed\r\n", b"SET") as (url, _):
        counts = Counts()
        settings = CacheSettings.model_validate({"redis_url": url, "redis_timeout": "5s"})
        guard = Guard("redis", settings.redis_breaker.rule(), counts)  # type: ignore[arg-type]
        async with RedisDecisions(settings, counts, guard) as decisions:  # type: ignore[arg-type]
            for _ in range(3 * settings.redis_breaker.rule().failures):
                await decisions.set("a", b"true", 60.0)
    assert guard.state is BreakerState.CLOSED
