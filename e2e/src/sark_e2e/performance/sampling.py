"""What servers take while they are measured: processor time and memory of their processes, a few times a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

import psutil

from sark_e2e.bench.cpu_time import cpu_seconds
from sark_e2e.bench.failure import BenchError

EVERY_SECONDS: Final = 0.5
_MEGA: Final = 1e6


@dataclass
class Usage:
    """Of all processes together, since the block was entered."""

    at: list[float] = field(default_factory=list)
    """Seconds since then."""
    cpu_percent: list[float] = field(default_factory=list)
    """Of one core, since the sample before."""
    memory_mb: list[float] = field(default_factory=list)
    """Resident."""
    memory_by_name: dict[str, float] = field(default_factory=dict)
    """Of each process by itself, at the end."""
    cpu_mean_percent: float = 0.0
    """Of one core, over the whole time."""

    @property
    def memory_at_end_mb(self) -> float:
        """Resident memory of all at the last sample."""
        return self.memory_mb[-1] if self.memory_mb else 0.0


class Sampler:
    """Samples the processes with these ids while its block runs. A context manager that gives the usage."""

    def __init__(self, pids: Mapping[str, int], *, every: float = EVERY_SECONDS) -> None:
        self._pids = dict(pids)
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self.usage = Usage()

    def __enter__(self) -> Usage:
        self._began = self._last = time.monotonic()
        self._cpu_began = self._cpu = cpu_seconds(self._pids.values())
        self._thread.start()
        return self.usage

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        if error is None:
            self._sample()
            self.usage.cpu_mean_percent = 100 * (self._cpu - self._cpu_began) / (self._last - self._began)

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self._sample()
            except (BenchError, psutil.Error):
                return

    def _sample(self) -> None:
        now, cpu = time.monotonic(), cpu_seconds(self._pids.values())
        memory = {name: process.memory_info().rss / _MEGA for name, process in self._processes.items()}
        self.usage.at.append(now - self._began)
        self.usage.cpu_percent.append(100 * (cpu - self._cpu) / max(now - self._last, 1e-6))
        self.usage.memory_mb.append(sum(memory.values()))
        self.usage.memory_by_name = memory
        self._last, self._cpu = now, cpu
