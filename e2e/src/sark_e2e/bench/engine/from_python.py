"""The engine called from Python in process, beside what a Python program did before: aiohttp to OPA, redis-py to Redis."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Final

import aiohttp
import redis.asyncio
from sark_engine import Engine

from sark_e2e.bench.failure import BenchError
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.redis import RedisServer

from .corpus import Files, compact
from .data_plane import load
from .finding import Finding, at_least, at_most
from .over_http import opa_server
from .setting import Measured, Setting

ROW: Final = "from Python"
_BATCH: Final = 1_000
"""Calls timed as one: a call takes little longer than looking at the clock."""
_KEY: Final = "bench:decision"


@dataclass(frozen=True)
class Round:
    """Medians of one round, in microseconds a call."""

    decide_us: float
    evaluate_us: float
    complex_us: float
    opa_us: float
    redis_us: float


def measure(setting: Setting) -> Measured:
    """Measure in rounds. Raises BenchError, also when an answer is wrong."""
    with LoopbackNetwork() as network:
        folder = setting.folder / "python"
        opa = opa_server(setting, setting.simple.corpus, network, folder)
        cache = RedisServer(setting.programs.redis, network=network, folder=folder / "redis", report=setting.report)
        with opa, cache:
            rounds = [_round(setting, number, opa.url, cache.url) for number in range(1, setting.effort.rounds + 1)]
    return Measured(_findings(rounds), [asdict(each) for each in rounds])


def _round(setting: Setting, number: int, opa_url: str, redis_url: str) -> Round:
    setting.report(f"from Python, round {number} of {setting.effort.rounds}")
    seconds = setting.effort.seconds / 2
    decide = _in_process(setting.simple, seconds, cached=True)
    evaluate = _in_process(setting.simple, seconds, cached=False)
    complicated = _in_process(setting.complex, seconds, cached=False)
    opa, cache = asyncio.run(_over_the_wire(setting.simple, seconds, opa_url, redis_url))
    return Round(decide, evaluate, complicated, opa, cache)


def _in_process(files: Files, seconds: float, *, cached: bool) -> float:
    engine = Engine(load(files.corpus.policies))
    question = json.dumps(files.first, separators=(",", ":")).encode()
    ask = engine.decide if cached else engine.evaluate
    path = files.corpus.path
    times: list[float] = []
    gc.disable()
    try:
        end = time.perf_counter() + seconds
        while len(times) < 3 or time.perf_counter() < end:
            began = time.perf_counter()
            for _ in range(_BATCH):
                answer = ask(path, question)
            times.append((time.perf_counter() - began) / _BATCH)
            _check(answer, files)
    finally:
        gc.enable()
    return median(times) * 1e6


async def _over_the_wire(files: Files, seconds: float, opa_url: str, redis_url: str) -> tuple[float, float]:
    url = f"{opa_url}/v1/data/{files.corpus.path}"
    body = compact({"input": files.first}).encode()
    headers = {"Content-Type": "application/json"}

    async with aiohttp.ClientSession() as session, redis.asyncio.from_url(redis_url) as cache:

        async def opa() -> bytes | None:
            async with session.post(url, data=body, headers=headers) as answer:
                answer.raise_for_status()
                return compact(json.loads(await answer.read())["result"]).encode()

        async def kept() -> bytes | None:
            found = await cache.get(_KEY)
            return found.encode() if isinstance(found, str) else found

        await cache.set(_KEY, compact(files.result))
        return await _each(opa, files, seconds), await _each(kept, files, seconds)


async def _each(ask: Callable[[], Awaitable[bytes | None]], files: Files, seconds: float) -> float:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        answer = await ask()
        times.append(time.perf_counter() - began)
        _check(answer, files)
    return median(times) * 1e6


def _check(answer: bytes | None, files: Files) -> None:
    if answer is None or json.loads(answer) != files.result:
        raise BenchError(f"{files.corpus.path} is {answer!r}; it must be {compact(files.result)}")


def _findings(rounds: list[Round]) -> list[Finding]:
    def every(figure: Callable[[Round], float]) -> tuple[float, ...]:
        return tuple(figure(each) for each in rounds)

    return [
        Finding(ROW, "cached decision", every(lambda each: each.decide_us), "us", at_most(0.3)),
        Finding(ROW, "simple evaluation", every(lambda each: each.evaluate_us), "us", at_most(5)),
        Finding(
            ROW, "aiohttp to OPA by a cached decision", every(lambda each: each.opa_us / each.decide_us), "x", at_least(100)
        ),
        Finding(
            ROW, "redis-py GET by a cached decision", every(lambda each: each.redis_us / each.decide_us), "x", at_least(100)
        ),
        Finding(ROW, "complex evaluation", every(lambda each: each.complex_us), "us"),
        Finding(ROW, "aiohttp to OPA, simple", every(lambda each: each.opa_us), "us"),
        Finding(ROW, "redis-py GET", every(lambda each: each.redis_us), "us"),
    ]
