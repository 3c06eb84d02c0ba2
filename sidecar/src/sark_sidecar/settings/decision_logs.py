"""Settings of the decision log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from sark_sidecar.seconds import Seconds, format_seconds

from .fields import HttpUrl, Section


def _hidden_place(value: str) -> str:
    if value.split("/", 2)[:2] not in (["", "input"], ["", "result"]):
        raise ValueError(f"{value!r} is not a place in an event; write a JSON pointer such as /input/password or /result/token")
    return value


def _resource(value: str) -> str:
    if not value.startswith("/") or "?" in value or "#" in value:
        raise ValueError(f"{value!r} must be a path such as /logs")
    return value.rstrip("/")


HiddenPlace = Annotated[str, Field(max_length=256), AfterValidator(_hidden_place)]
Outcome = Literal["", "allow", "deny", "undefined", "error"]


class Replacement(Section):
    """A place whose value is replaced."""

    path: HiddenPlace
    """JSON pointer below /input or /result; the token `*` stands for any one."""
    value: Any = None
    """What stands there instead."""

    def value_text(self) -> bytes:
        """Return the value as JSON."""
        return json.dumps(self.value, ensure_ascii=False).encode()


class DropSettings(Section):
    """Decisions that are not logged."""

    path: str = Field(min_length=1, max_length=1024)
    """A decision path; with `/*` at its end all below it."""
    outcome: Outcome = ""
    """Of this outcome alone."""


class LogServiceSettings(Section):
    """Where events are sent; used when `url` is set."""

    url: HttpUrl | None = None
    """Base address of the service; the sink is off without it."""
    resource: Annotated[str, Field(max_length=256), AfterValidator(_resource)] = "/logs"
    """Path below it."""
    partition: str = Field(default="", max_length=128, pattern=r"^[A-Za-z0-9._-]*$")
    """Segment appended to the path; empty: none."""
    token_file: Path | None = None
    """Bearer token, read for each request."""
    ca_file: Path | None = None
    """Authorities to trust instead of the system's, read for each request."""
    timeout: Seconds = Field(default=10.0, gt=0, le=60)
    """For one request."""
    min_delay: Seconds = Field(default=5.0, ge=0.1, le=600)
    """How long events wait for a chunk to become full."""
    max_delay: Seconds = Field(default=60.0, ge=0.1, le=3600)
    """Longest pause after failures."""
    max_chunk_bytes: int = Field(default=32_768, ge=1024, le=16_777_216)
    """Of one upload, compressed."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.min_delay > self.max_delay:
            raise ValueError(
                f"min_delay {format_seconds(self.min_delay)} is above max_delay {format_seconds(self.max_delay)}; set both"
            )
        if self.url is None and (lone := [name for name in ("token_file", "ca_file") if getattr(self, name) is not None]):
            raise ValueError(f"{lone[0]} needs url, the address events are sent to")
        return self


class DecisionLogSettings(Section):
    """The decision log; it is kept when `console` or `service.url` is set."""

    console: bool = False
    """Events go to standard output, one JSON object a line."""
    service: LogServiceSettings = LogServiceSettings()
    labels: dict[str, str] = Field(default={}, max_length=64)
    """Labels of every event, besides id and version."""
    erase: tuple[HiddenPlace, ...] = Field(default=(), max_length=256)
    """Places whose values are left out; the token `*` stands for any one."""
    replace: tuple[Replacement, ...] = Field(default=(), max_length=256)
    """Places whose values are replaced."""
    drop: tuple[DropSettings, ...] = Field(default=(), max_length=256)
    """Decisions that are not logged."""
    ask_policies: bool = True
    """Whether `data.system.log.mask` and `data.system.log.drop` are asked, where the policies have them."""
    max_per_second: float | None = Field(default=None, gt=0, le=1_000_000)
    """Most events a second; more are dropped and counted."""
    queue: int = Field(default=8192, ge=1, le=1_048_576)
    """Decisions that wait to be written; more are dropped and counted."""
    queue_bytes: int = Field(default=16_777_216, ge=65_536, le=1_073_741_824)
    """Bytes of the decisions that wait."""
    buffer_bytes: int = Field(default=8_388_608, ge=65_536, le=1_073_741_824)
    """Events that wait for each sink; beyond it the oldest are dropped and counted."""

    @property
    def enabled(self) -> bool:
        """Whether there is a decision log."""
        return self.console or self.service.url is not None
