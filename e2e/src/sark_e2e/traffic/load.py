"""Locust, headless, as a child process that asks a fleet's sidecars at a set rate and writes what it saw every second."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sark_e2e.process import Process
from sark_e2e.progress import Report, silent

_LOCUSTFILE: Final = Path(__file__).with_name("locustfile.py")
_RATE_PER_USER: Final = 5.0
_READY_SECONDS: Final = 30.0


@dataclass(frozen=True)
class TrafficStats:
    """What the applications have seen since the load began; times in milliseconds."""

    requests: int = 0
    failures: int = 0
    requests_per_second: float = 0.0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    answers: dict[str, int] = field(default_factory=dict)
    """Number of answers by kind: allow, deny, no decision, or the HTTP status of a failure."""
    time: float = 0.0
    """Unix time of writing; 0 while nothing has been written."""


class Traffic(Process):
    """A steady load. A context manager that is entered when the first answers are in."""

    def __init__(self, targets: Sequence[str], *, rate: float, folder: Path, report: Report = silent) -> None:
        """Ask `targets`, the sidecars' data URLs, `rate` questions a second in all."""
        if not targets or rate <= 0:
            raise ValueError(f"a load needs targets and a rate above zero, not {len(targets)} targets at {rate} a second")
        users = max(len(targets), round(rate / _RATE_PER_USER))
        folder.mkdir(parents=True, exist_ok=True)
        self._stats = folder / "stats.json"
        self._stats.unlink(missing_ok=True)
        super().__init__(
            "locust",
            [
                sys.executable,
                "-m",
                "locust",
                "--headless",
                f"--locustfile={_LOCUSTFILE}",
                f"--users={users}",
                f"--spawn-rate={users}",
                "--only-summary",
                "--loglevel=WARNING",
                "--stop-timeout=1",
            ],
            environment={
                "SARK_TRAFFIC_TARGETS": json.dumps(list(targets)),
                "SARK_TRAFFIC_RATE_PER_USER": str(rate / users),
                "SARK_TRAFFIC_STATS": str(self._stats),
            },
            log=folder / "locust.log",
            ready=self._answering,
            ready_seconds=_READY_SECONDS,
            report=report,
        )

    def stats(self) -> TrafficStats:
        """Return what was last written."""
        try:
            return TrafficStats(**json.loads(self._stats.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return TrafficStats()

    def _answering(self) -> str | None:
        return None if self.stats().requests else "no request has been answered yet"
