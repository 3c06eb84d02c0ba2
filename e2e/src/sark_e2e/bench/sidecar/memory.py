"""How much memory a process has, from the kernel."""

from __future__ import annotations

from pathlib import Path

from sark_e2e.bench.failure import BenchError


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process in MiB. Raises BenchError."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError as error:
        raise BenchError(f"the memory of process {pid} cannot be read: {error}") from error
    return parse_resident_mib(text)


def parse_resident_mib(text: str) -> float:
    """Return `VmRSS` of the text of /proc/PID/status in MiB. Raises BenchError."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "VmRSS":
            return int(value.split()[0]) / 1024
    raise BenchError("/proc/PID/status has no line VmRSS")
