"""Faults on purpose, for rehearsals. Nothing here runs unless the configuration enables it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .flags.file import read_document_file
from .unforeseen import unforeseen

log = structlog.get_logger()
POLL_SECONDS = 0.2


class RustFaults(BaseModel):
    """What happens to requests of the rust arm."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    latency_ms: float = Field(default=0, ge=0, le=60_000)
    error_percent: float = Field(default=0, ge=0, le=100)
    panic_percent: float = Field(default=0, ge=0, le=100)
    """Of the evaluations that panic, wherever the embedded engine is asked."""


class Faults(BaseModel):
    """The content of the fault file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    rust: RustFaults = RustFaults()


class FaultSink(Protocol):
    """The part of the data plane that injects."""

    def set_faults(
        self, *, rust_latency_seconds: float = 0.0, rust_error_ratio: float = 0.0, rust_panic_ratio: float = 0.0
    ) -> None:
        """Inject these faults from the next request on."""

    @property
    def first_fault_at(self) -> float | None:
        """Unix time of the first fault."""


class FaultHook:
    """Follows the fault file. Exists only when fault injection is enabled."""

    def __init__(self, file: Path, sink: FaultSink) -> None:
        """Say loudly that faults can be injected."""
        self._file = file
        self._sink = sink
        self._faults = Faults()
        self._problem = ""
        log.warning("fault injection is enabled by configuration", file=str(file))

    @property
    def faults(self) -> Faults:
        """What is injected now."""
        return self._faults

    @property
    def first_fault_at(self) -> float | None:
        """Unix time of the first request a fault was injected into since faults were last turned on."""
        return self._sink.first_fault_at

    @property
    def problem(self) -> str:
        """Why the file's present content is not followed; empty when it is."""
        return self._problem

    async def follow(self) -> None:
        """Apply each change of the file until cancelled; without a file there are no faults."""
        while True:
            await self.look()
            await asyncio.sleep(POLL_SECONDS)

    async def look(self) -> None:
        """Read the file once. What cannot be read changes nothing: it may be half written."""
        try:
            text = await asyncio.to_thread(read_document_file, self._file)
            faults = Faults() if text is None else Faults.model_validate_json(text)
        except ValidationError as error:
            # Without the input, which its own text quotes: the path may be that of another file.
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            self._refuse(f"{where + ': ' if where else ''}{first['msg']}", None)
            return
        except (ValueError, OSError) as error:
            self._refuse(" ".join(str(error).split()), None)
            return
        except Exception as error:  # noqa: BLE001 - a rehearsal must not end a sidecar in a way that it did not ask for
            self._refuse(unforeseen(error), error)
            return
        self._problem = ""
        if faults != self._faults:
            self._faults = faults
            self._sink.set_faults(
                rust_latency_seconds=faults.rust.latency_ms / 1000,
                rust_error_ratio=faults.rust.error_percent / 100,
                rust_panic_ratio=faults.rust.panic_percent / 100,
            )
            log.warning("faults changed", **faults.rust.model_dump())

    def _refuse(self, problem: str, fault: Exception | None) -> None:
        """Tell it, unless it is the one told last; `fault` is one that nobody foresaw."""
        if problem != self._problem:
            (log.error if fault else log.warning)(
                "fault file refused; the faults stay as they were", reason=problem, exc_info=fault
            )
        self._problem = problem
