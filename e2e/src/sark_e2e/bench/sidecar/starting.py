"""How long a sidecar takes from nothing to ready, and how much memory it has then."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from sark_e2e.admin_port import read
from sark_e2e.bench.cpu_time import cpu_seconds
from sark_e2e.sidecar import Sidecar

from .memory import resident_mib


@dataclass(frozen=True)
class Start:
    """One start. Seconds."""

    own: float
    """From the start of the process until it was ready, as it says itself."""
    seen: float
    """Until a client that asks ten times a second saw it ready."""
    cpu: float
    """Processor time used until then."""
    resident_mib: float


def measure_starts(sidecar: Sidecar, times: int) -> list[Start]:
    """Start a sidecar so many times, and return what each start took; it is stopped at the end. Raises ProcessError."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        sidecar.start()
        seen = time.perf_counter() - began
        used = cpu_seconds([sidecar.pid])
        own = float(read(f"{sidecar.admin_url}/v1/status")["start_seconds"])
        found.append(Start(own, seen, used, resident_mib(sidecar.pid)))
        sidecar.stop()
    return found


def starts_table(starts: Sequence[Start]) -> str:
    """Return the starts as a Markdown table."""
    rows = (
        ("from the process's start until it is ready, by itself", [each.own for each in starts], "s"),
        ("until a client sees it ready", [each.seen for each in starts], "s"),
        ("processor time until then", [each.cpu for each in starts], "s"),
        ("memory then", [each.resident_mib for each in starts], "MiB"),
    )
    lines = ["| start | median | least | most |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {title} | {_figure(median(values), unit)} | {_figure(min(values), unit)} | {_figure(max(values), unit)} |"
        for title, values, unit in rows
    ]
    return "\n".join(lines)


def _figure(value: float, unit: str) -> str:
    return f"{value:.2f} s" if unit == "s" else f"{value:.0f} {unit}"
