"""Decisions kept in Redis. It may be slow, away or full of rubbish: all of that is a miss, never an error of a decision."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol, Self, cast

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from sark_sidecar.settings import CacheSettings

log = structlog.get_logger()
PAUSE_SECONDS = 0.5
"""After a failure no command is sent for this long: a Redis that hangs costs one timeout now and then, not one per request."""
MAX_VALUE_BYTES = 1_048_576
"""A longer decision is not kept."""


class CacheRecorder(Protocol):
    """Where operations are counted."""

    def observe_cache(self, operation: str, result: str, seconds: float) -> None:
        """Record one operation."""


class SkipCounter(Protocol):
    """Where commands that were not sent are counted."""

    def redis_skipped(self, commands: int) -> None:
        """Count them."""


class RedisDecisions:
    """Get and set with a deadline each."""

    def __init__(self, settings: CacheSettings, recorder: CacheRecorder, skips: SkipCounter) -> None:
        """Open nothing yet."""
        self._timeout = settings.redis_timeout
        self._ttl_ms = max(1, round(settings.ttl * 1000))
        self._recorder = recorder
        self._skips = skips
        self._paused_until = 0.0
        self.problem = ""
        """Why Redis was of no use the last time; empty when it was."""
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

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values of `keys`, None for each that is not there; several keys cost one round trip."""
        if not keys or self._is_paused(len(keys)):
            return [None] * len(keys)
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout):
                found = [await self._redis.get(keys[0])] if len(keys) == 1 else await self._redis.mget(keys)
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)
            self._count("get", ["error"] * len(keys), began)
            return [None] * len(keys)
        self._worked()
        self._count("get", ["miss" if value is None else "hit" for value in found], began)
        return cast("list[bytes | None]", found)

    async def set(self, key: str, value: bytes) -> None:
        """Keep `value` for the configured time."""
        if len(value) > MAX_VALUE_BYTES or self._is_paused(1):
            return
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout):
                await self._redis.set(key, value, px=self._ttl_ms)
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)
            self._count("set", ["error"], began)
            return
        self._worked()
        self._count("set", ["ok"], began)

    def _is_paused(self, commands: int) -> bool:
        if time.monotonic() >= self._paused_until:
            return False
        self._skips.redis_skipped(commands)
        return True

    def _failed(self, error: Exception) -> None:
        # The text of a client's error can hold an address but no password; its type says the rest.
        problem = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if not self.problem:
            log.warning("redis cannot be used; every decision is asked of OPA", reason=problem)
        self.problem = problem
        if not isinstance(error, ResponseError):
            # Not for a refusal: Redis answered, and the next key may be fine.
            self._paused_until = time.monotonic() + PAUSE_SECONDS

    def _worked(self) -> None:
        if self.problem:
            log.info("redis works again")
        self.problem = ""

    def _count(self, operation: str, results: Sequence[str], began: float) -> None:
        seconds = time.perf_counter() - began
        for result in results:
            self._recorder.observe_cache(operation, result, seconds)


class NoDecisions:
    """Used with `cache.backend: rust`: there is no Redis."""

    problem = ""

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """Find nothing."""
        return [None] * len(keys)

    async def set(self, key: str, value: bytes) -> None:
        """Keep nothing."""
