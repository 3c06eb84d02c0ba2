"""Settings of the decision caches of both arms: their bounds, and how long a decision of which class is kept."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, StringConstraints, model_validator

from sark_sidecar.seconds import Seconds, format_seconds

from .breaker import RedisBreakerSettings
from .fields import Pointer, Section

ClassName = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=64)]
ClassSeconds = Annotated[Seconds, Field(ge=0, le=86_400)]


class CacheBackend(StrEnum):
    """Who keeps the baseline arm's decisions."""

    REDIS = "redis"
    RUST = "rust"
    """There is no Redis: the baseline arm asks OPA each time; the rust arm has its own cache in any case."""


class ClassSettings(Section):
    """How long a decision is kept, in both caches, by the class of what it is about; never longer than `cache.ttl`."""

    low: ClassSeconds = 300.0
    """How long a decision of class low is kept."""
    medium: ClassSeconds = 180.0
    """The same of class medium."""
    high: ClassSeconds = 60.0
    """The same of class high."""
    critical: ClassSeconds = 0.0
    """0: never kept."""
    others: dict[ClassName, ClassSeconds] = Field(default={}, max_length=256)
    """More classes, by name."""
    aliases: dict[ClassName, ClassName] = Field(
        default={
            "public": "low",
            "internal": "medium",
            "confidential": "high",
            "restricted": "critical",
            "secret": "critical",
        },
        max_length=256,
    )
    """Other names of classes."""
    unknown: ClassSeconds = 0.0
    """For a class that is not in the table."""
    input: tuple[Pointer, ...] = Field(
        default=(
            "/resource/sensitivity",
            "/resource/sensitivity_level",
            "/tool/sensitivity",
            "/tool/sensitivity_level",
            "/sensitivity_level",
        ),
        max_length=16,
    )
    """Where in the input a class may stand; of several the strictest counts."""
    decision: tuple[Pointer, ...] = Field(default=("/sensitivity", "/sensitivity_level"), max_length=16)
    """Where in the decision."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        classes = self._own()
        for alias, name in self.aliases.items():
            if name not in classes:
                raise ValueError(f"aliases.{alias}: there is no class {name}; it must be one of {', '.join(sorted(classes))}")
            if alias in classes:
                raise ValueError(f"aliases.{alias}: {alias} is a class itself")
        return self

    def table(self) -> dict[str, float]:
        """Return seconds by every name there is for a class."""
        classes = self._own()
        return {**classes, **{alias: classes[name] for alias, name in self.aliases.items()}}

    def _own(self) -> dict[str, float]:
        return {"low": self.low, "medium": self.medium, "high": self.high, "critical": self.critical, **self.others}


class CacheSettings(Section):
    """Decision caches of both arms."""

    backend: CacheBackend = CacheBackend.REDIS
    """Who keeps the baseline arm's decisions. With rust there is no Redis, and that arm asks OPA each time."""
    max_size: int = Field(default=10_000, ge=1, le=10_000_000)
    """Most entries of the in-process cache."""
    max_bytes: int = Field(default=67_108_864, ge=65_536, le=17_179_869_184)
    """Most bytes of the in-process cache."""
    ttl: Seconds = Field(default=300.0, gt=0)
    """For what has no class, and the longest for what has one."""
    max_ttl: Seconds = Field(default=300.0, gt=0, le=86_400)
    """The longest `ttl` accepted: a permission taken away stays in force that long."""
    classes: ClassSettings = ClassSettings()
    redis_url: SecretStr = Field(default=SecretStr("redis://localhost:6379/0"))
    """Address of Redis; a password in it is never logged or shown."""
    redis_timeout: Seconds = Field(default=0.25, gt=0, le=5)
    """For one command; a slower Redis counts as a miss."""
    redis_max_connections: int = Field(default=32, ge=1, le=1024)
    """Pooled connections to it."""
    redis_breaker: RedisBreakerSettings = RedisBreakerSettings()

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        _redis_url(self.redis_url)
        if self.ttl > self.max_ttl:
            raise ValueError(
                f"ttl {format_seconds(self.ttl)} is above max_ttl {format_seconds(self.max_ttl)}; "
                "lower ttl, or raise max_ttl if decisions may stay that long after a permission is taken away"
            )
        return self

    def lifetimes(self) -> str:
        """Return a digest of all that says how long a decision is kept: what was kept by another table is not found."""
        text = f"{self.ttl}\n{self.classes.model_dump_json()}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _redis_url(value: SecretStr) -> SecretStr:
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in {"redis", "rediss", "unix"} or not (parts.hostname or parts.path):
        raise ValueError("redis_url must be an address such as redis://localhost:6379/0")
    return value
