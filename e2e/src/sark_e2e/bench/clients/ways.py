"""The ways to ask, each as a function that asks for some seconds and returns how many decisions it got."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx

from sark_client import AsyncClient, Client
from sark_sidecar.in_process import DecisionPoint

Run = Callable[[float], int]
_OK = 200
_BATCH = 16
"""Questions between two looks at the clock."""


class WrongAnswerError(Exception):
    """Something was measured that is no decision."""


@dataclass(frozen=True)
class Way:
    """One row."""

    key: str
    title: str
    run: Run


@dataclass(frozen=True)
class Places:
    """What is asked."""

    point: DecisionPoint
    sidecar: str
    sidecar_unix: str
    opa: str
    path: str
    question: dict[str, Any]


def ways(places: Places) -> list[Way]:
    """Return every way."""
    question, point = places.question, places.point
    numbers = itertools.count()

    def fresh() -> dict[str, Any]:
        return {**question, "parameters": {"query": f"number {next(numbers)}"}}

    return [
        Way("point", "DecisionPoint.decide, kept", lambda seconds: _sync(lambda: point.decide(question), seconds)),
        Way("point_async", "DecisionPoint.decide_async, kept", lambda seconds: _point_async(point, question, seconds)),
        Way(
            "point_new",
            "DecisionPoint.decide, every question new",
            lambda seconds: _sync(lambda: point.decide(fresh()), seconds),
        ),
        Way("client_unix", "sark_client.Client, unix socket", lambda seconds: _client(places.sidecar_unix, places, seconds)),
        Way("client_tcp", "sark_client.Client, TCP", lambda seconds: _client(places.sidecar, places, seconds)),
        Way("async_client", "sark_client.AsyncClient, unix socket", lambda seconds: _async_client(places, seconds)),
        Way("httpx", "httpx.Client -> sidecar", lambda seconds: _httpx(places.sidecar, places, seconds)),
        Way("aiohttp", "aiohttp -> sidecar", lambda seconds: _aiohttp(places.sidecar, places, seconds)),
        Way("httpx_opa", "httpx.Client -> OPA", lambda seconds: _httpx(places.opa, places, seconds)),
        Way("aiohttp_opa", "aiohttp -> OPA", lambda seconds: _aiohttp(places.opa, places, seconds)),
    ]


def _sync(ask: Callable[[], object], seconds: float) -> int:
    done, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        for _ in range(_BATCH):
            if not ask():
                raise WrongAnswerError("a decision that should allow does not")
        done += _BATCH
    return done


async def _async(ask: Callable[[], Awaitable[object]], seconds: float) -> int:
    done, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        for _ in range(_BATCH):
            if not await ask():
                raise WrongAnswerError("a decision that should allow does not")
        done += _BATCH
    return done


def _point_async(point: DecisionPoint, question: dict[str, Any], seconds: float) -> int:
    return asyncio.run(_async(lambda: point.decide_async(question), seconds))


def _client(url: str, places: Places, seconds: float) -> int:
    with Client(url, path=places.path) as client:
        return _sync(lambda: client.decide(places.question), seconds)


def _async_client(places: Places, seconds: float) -> int:
    async def run() -> int:
        async with AsyncClient(places.sidecar_unix, path=places.path) as client:
            return await _async(lambda: client.decide(places.question), seconds)

    return asyncio.run(run())


def _httpx(base: str, places: Places, seconds: float) -> int:
    with httpx.Client(trust_env=False) as client:
        target, body = f"{base}/v1/data/{places.path}", {"input": places.question}
        return _sync(lambda: client.post(target, json=body).json()["result"]["allow"] is True, seconds)


def _aiohttp(base: str, places: Places, seconds: float) -> int:
    target, body = f"{base}/v1/data/{places.path}", {"input": places.question}

    async def run() -> int:
        async with aiohttp.ClientSession() as session:

            async def ask() -> bool:
                async with session.post(target, json=body) as answer:
                    members = await answer.json()
                    return answer.status == _OK and members["result"]["allow"] is True

            return await _async(ask, seconds)

    return asyncio.run(run())
