"""One operation of the cache: Redis as the Python arm asks it, and the cache of the engine with three others beside it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as blocking
from redis import asyncio as awaiting
from sark_engine import Engine, Policies

from sark_e2e.bench.engine.client import run_client
from sark_e2e.performance import bodies, callers
from sark_e2e.performance.stand import Stand
from sark_e2e.performance.statistics import of_times
from sark_e2e.performance.suite import Recording, Suite

from .conftest import FAST_ROUNDS, ROUNDS, WARM_UP, Timed

SIZES = (100, 10_000, 1_000_000)
USUAL = 10_000
VALUE = b'{"allow":true,"reason":"granted by developer"}'
CACHES = {"sark": "rust", "sark-common": "rust-common", "quick-cache": "quick-cache", "moka": "moka", "dash-map": "dashmap"}
OPERATIONS = {"GET": "get", "SET new": "set", "DELETE": "delete"}


def key(number: int) -> bytes:
    return b"policy:decision:v2:%032x" % (number * 0x9E3779B97F4A7C15 % 2**128)


class Redis:
    """The client of the Python arm, awaited on a loop of its own."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.client = awaiting.Redis.from_url(url, max_connections=128)
        # Filling and emptying takes long where others use the machine too.
        self.plain = blocking.Redis.from_url(url, socket_timeout=120)
        self.plain.config_set("maxmemory", "1gb")

    def fill(self, entries: int) -> float:
        """Put entries in and return their memory in MB."""
        self.plain.flushdb()
        before = self.plain.info("memory")["used_memory"]
        for first in range(0, entries, 10_000):
            with self.plain.pipeline(transaction=False) as pipe:
                for number in range(first, min(first + 10_000, entries)):
                    pipe.set(key(number), VALUE, ex=300)
                pipe.execute()
        return float(self.plain.info("memory")["used_memory"] - before) / 1e6

    def await_(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        self.await_(self.client.aclose())
        self.plain.flushdb()
        self.plain.config_set("maxmemory", "64mb")
        self.plain.close()
        self.loop.close()


@pytest.fixture
def redis(stand: Stand) -> Iterator[Redis]:
    client = Redis(stand.redis.url)
    yield client
    client.close()


@pytest.mark.parametrize("operation", ["get", "set", "delete"])
def test_redis_operation(redis: Redis, timed: Timed, operation: str):
    redis.fill(USUAL)
    client = redis.client
    work = {"get": client.get, "delete": client.delete, "set": lambda one: client.set(one, VALUE, ex=300)}[operation]
    keys = [key(number * 7 % USUAL) for number in range(ROUNDS + WARM_UP)]
    timed(f"cache-{operation}", "python", lambda one: redis.await_(work(one)), keys)


@pytest.mark.parametrize("entries", SIZES)
def test_redis_size(redis: Redis, timed: Timed, entries: int):
    memory = redis.fill(entries)
    keys = [key(number * 7919 % entries) for number in range(ROUNDS + WARM_UP)]
    timed(f"cache-size-{entries}", "python", lambda one: redis.await_(redis.client.get(one)), keys, {"memory": (memory, "MB")})


@pytest.mark.parametrize(("what", "count", "writes"), [("reads-10", 10, 0), ("reads-100", 100, 0), ("mixed", 10, 4)])
def test_redis_at_once(suite: Suite, redis: Redis, what: str, count: int, writes: int):
    redis.fill(USUAL)
    times: list[float] = []

    async def one(number: int) -> None:
        for turn in range(6_000 // count):
            name = key((number * 7919 + turn * 31) % USUAL)
            began = time.perf_counter()
            await (redis.client.set(name, VALUE, ex=300) if number < writes else redis.client.get(name))
            times.append(time.perf_counter() - began)

    async def all_of_them() -> None:
        await callers.gather(one(number) for number in range(count))

    recording = Recording(suite, "benchmarks", f"cache-at-once-{what}", "python", "asyncio", 0)
    began = time.perf_counter()
    redis.await_(all_of_them())
    recording.keep(of_times(times, wall_seconds=time.perf_counter() - began))


def test_cache_from_python(stand: Stand, timed: Timed):
    """What a look-up in the engine's cache costs a caller in Python, the call included."""
    asked = stand.asked["hit"]
    engine = Engine(Policies.from_paths([stand.policies]), cache_ttl_seconds=300)
    given = bodies.inputs(bodies.fresh(asked, 500)[0])
    for one in given:
        engine.decide(asked.path, one)
    timed("cache-get", "rust-from-python", lambda one: engine.decide(asked.path, one), given * (FAST_ROUNDS // 500))
    stats = engine.cache_stats()
    assert stats.misses <= len(given), "every timed look-up must find its decision"


def _numbers(timing: dict[str, Any]) -> dict[str, tuple[float, str]]:
    return {name: (timing[name] / 1e6, "ms") for name in ("p50", "p95", "p99", "mean")} | {"rounds": (timing["count"], "")}


def _cells(suite: Suite, folder: Path, entries: str, threads: str) -> list[dict[str, Any]]:
    file = folder / "cache.json"
    run_client(suite.client, "cache", {"--entries": entries, "--threads": threads, "--rounds": 1, "--json": file})
    cells: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return cells


def test_engine_cache_by_itself(suite: Suite, tmp_path: Path):
    """Without Python around it, at every size."""
    for entries in SIZES:
        recordings = {
            arm: Recording(suite, "benchmarks", f"cache-size-{entries}", arm, "sark-bench", 0) for arm in CACHES.values()
        }
        for cell in _cells(suite, tmp_path, str(entries), "1"):
            arm = CACHES[cell["cache"]]
            timings = {each["operation"]: each for each in cell["timings"]}
            if cell["load"] == "steady":
                memory = {"memory": (cell["resident_mb"], "MB")}
                recordings[arm].keep(_numbers(timings["GET"]) | memory)
                if entries == USUAL:
                    for operation, name in OPERATIONS.items():
                        Recording(suite, "benchmarks", f"cache-{name}", arm, "sark-bench", 0).keep(_numbers(timings[operation]))
            elif cell["load"] == "churn" and entries == USUAL:
                Recording(suite, "benchmarks", "cache-full", arm, "sark-bench", 0).keep(_numbers(timings["SET new"]))


def test_engine_cache_by_threads(suite: Suite, tmp_path: Path):
    for cell in _cells(suite, tmp_path, str(USUAL), "10,100"):
        arm, threads = CACHES[cell["cache"]], cell["threads"]
        timings = {each["operation"]: each for each in cell["timings"]}
        if cell["load"] == "steady":
            Recording(suite, "benchmarks", f"cache-at-once-reads-{threads}", arm, "sark-bench", 0).keep(
                _numbers(timings["GET"])
            )
        elif cell["load"] == "churn" and threads == 10:
            Recording(suite, "benchmarks", "cache-at-once-mixed", arm, "sark-bench", 0).keep(_numbers(timings["GET"]))
