"""Decisions kept in Redis. It may be slow, away or full of rubbish: all of that is a miss, never an error of a decision."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, Self

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import InvalidResponse, RedisError, ResponseError
from redis.retry import Retry

from sark_sidecar.breaker import Permit
from sark_sidecar.guard import Guard
from sark_sidecar.settings import CacheSettings

log = structlog.get_logger()
MAX_VALUE_BYTES = 1_048_576
"""A longer decision is not kept."""


class CacheRecorder(Protocol):
    """Where operations are counted."""

    def observe_cache(self, operation: str, result: str, seconds: float) -> None:
        """Record one operation."""


class RedisDecisions:
    """Get and set with a deadline each, and neither while Redis has failed again and again."""

    def __init__(self, settings: CacheSettings, recorder: CacheRecorder, guard: Guard) -> None:
        """Open nothing yet."""
        self._timeout = settings.redis_timeout
        self._recorder = recorder
        self._guard = guard
        self._problems = {"get": "", "set": ""}
        self._redis = Redis(
            connection_pool=BlockingConnectionPool.from_url(
                settings.redis_url.get_secret_value(),
                max_connections=settings.redis_max_connections,
                timeout=self._timeout,
                socket_timeout=self._timeout,
                socket_connect_timeout=self._timeout,
                socket_keepalive=True,
                retry=Retry(NoBackoff(), 1),
                client_name="sark-sidecar",
            )
        )

    async def __aenter__(self) -> Self:
        """Return the cache."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close its connections."""
        await self._redis.aclose(close_connection_pool=True)

    @property
    def problem(self) -> str:
        """Why Redis was of no use the last time; empty when it was. A full one fails to keep and still finds."""
        return self._problems["get"] or self._problems["set"]

    def breaker(self) -> dict[str, Any]:
        """Return the state of its breaker, for people."""
        return self._guard.status()

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values of `keys`, None for each that is not there; several keys cost one round trip."""
        if not keys or (permit := self._guard.admit(len(keys))) is None:
            return [None] * len(keys)
        began = time.perf_counter()
        try:
            async with self._answering(permit):
                found = _values(await (self._redis.get(keys[0]) if len(keys) == 1 else self._redis.mget(keys)), len(keys))
        except Exception as error:  # noqa: BLE001 - the client raises all sorts of errors for an answer that is none of Redis
            await self._doubt(error)
            self._failed("get", error)
            self._count("get", ["error"] * len(keys), began)
            return [None] * len(keys)
        self._worked("get")
        self._count("get", ["miss" if value is None else "hit" for value in found], began)
        return found

    async def set(self, key: str, value: bytes, seconds: float) -> None:
        """Keep `value` for so long; for less than a millisecond not at all."""
        milliseconds = int(seconds * 1000)
        if milliseconds < 1 or len(value) > MAX_VALUE_BYTES or (permit := self._guard.admit()) is None:
            return
        began = time.perf_counter()
        try:
            async with self._answering(permit):
                await self._redis.set(key, value, px=milliseconds)
        except Exception as error:  # noqa: BLE001 - as above
            await self._doubt(error)
            self._failed("set", error)
            self._count("set", ["error"], began)
            return
        self._worked("set")
        self._count("set", ["ok"], began)

    @asynccontextmanager
    async def _answering(self, permit: Permit) -> AsyncIterator[None]:
        """One command within its deadline; the breaker learns how it went."""
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except Exception as error:
            # A refusal is no outage: Redis answered, and the next key may be fine. A full one still finds what it keeps.
            self._guard.ended(permit, failed=not isinstance(error, ResponseError))
            raise
        except BaseException:
            self._guard.abandoned(permit)
            raise
        self._guard.ended(permit, failed=False)

    async def _doubt(self, error: Exception) -> None:
        """Begin anew after an answer that is none: whose it was nobody knows, nor what else is on its way there."""
        if isinstance(error, InvalidResponse) or not isinstance(error, (RedisError, OSError, TimeoutError)):
            with suppress(Exception):  # a connection that cannot even be closed is as good as gone
                await self._redis.connection_pool.disconnect()

    def _failed(self, operation: str, error: Exception) -> None:
        # The text of a client's error can hold an address but no password; its type says the rest.
        problem = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if not self._problems[operation]:
            log.warning("redis cannot be used; decisions are asked of OPA", operation=operation, reason=problem)
        self._problems[operation] = problem

    def _worked(self, operation: str) -> None:
        if self._problems[operation]:
            log.info("redis works again", operation=operation)
        self._problems[operation] = ""

    def _count(self, operation: str, results: Sequence[str], began: float) -> None:
        seconds = time.perf_counter() - began
        for result in results:
            self._recorder.observe_cache(operation, result, seconds)


def _values(answer: Any, number: int) -> list[bytes | None]:
    """Return what is kept under so many keys. Raises `InvalidResponse` for what is no answer to that question."""
    found = [answer] if number == 1 else answer
    if (
        not isinstance(found, list)
        or len(found) != number
        or not all(each is None or isinstance(each, bytes) for each in found)
    ):
        raise InvalidResponse("an answer to GET or MGET that has not a value for each key")
    return found


class NoDecisions:
    """Used with `cache.backend: rust`: there is no Redis."""

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """Find nothing."""
        return [None] * len(keys)

    def keep(self, key: str, value: bytes, seconds: float, holds: Callable[[], bool]) -> None:
        """Keep nothing."""
