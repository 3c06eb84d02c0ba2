"""What was measured on: a number without its machine says nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sark_engine

from sark_e2e.program import parse_version, show_version

from .failure import BenchError

RELEASES: Final = ("release", "pgo")
"""What `make setup` builds, and `make pgo`."""
_CPU_INFO: Final = Path("/proc/cpuinfo")
_MEMORY_INFO: Final = Path("/proc/meminfo")
_VERSION_SECONDS: Final = 20


@dataclass(frozen=True)
class Machine:
    """The machine and the versions of what ran on it."""

    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    load: float
    """Mean number of runnable tasks in the minute before the start: well above 0 means that somebody else worked here too."""
    build_profile: str
    """How the engine was built; anything but `release` is refused."""
    versions: dict[str, str]


def describe(programs: Mapping[str, tuple[Path, str]]) -> Machine:
    """Return this machine. `programs` are the servers by name, each with the argument that makes it tell its version."""
    return Machine(
        cpu=cpu_model(_CPU_INFO.read_text(encoding="utf-8")),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=memory_gib(_MEMORY_INFO.read_text(encoding="utf-8")),
        kernel=f"{platform.system()} {platform.release()}",
        load=os.getloadavg()[0],
        build_profile=sark_engine.build_profile,
        versions={
            "python": platform.python_version(),
            "sark-engine": sark_engine.__version__,
            "regorus": sark_engine.regorus_version,
            **{name: _version(path, argument) for name, (path, argument) in programs.items()},
        },
    )


def require_release(profile: str) -> None:
    """Refuse to measure anything but a release build. Raises BenchError."""
    if profile not in RELEASES:
        known = " and ".join(map(repr, RELEASES))
        raise BenchError(
            f"the engine's build_profile is {profile!r}; only {known} are measured: run `make setup` or `make pgo`"
        )


def cpu_model(cpu_info: str) -> str:
    """Return the processor's name in the text of /proc/cpuinfo; `unknown` when it has none, as on some ARM machines."""
    for line in cpu_info.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name" and value.strip():
            return " ".join(value.split())
    return f"unknown ({platform.machine()})"


def memory_gib(memory_info: str) -> float:
    """Return the memory in the text of /proc/meminfo, in GiB; 0 when it does not tell."""
    for line in memory_info.splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal":
            return int(value.split()[0]) / 2**20
    return 0.0


def _version(path: Path, argument: str) -> str:
    try:
        answer = subprocess.run([path, argument], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"{path} does not run: {error}") from error
    found = parse_version(answer.stdout + answer.stderr)
    return show_version(found) if found else "unknown"
