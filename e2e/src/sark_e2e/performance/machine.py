"""The machine and the versions as raw files keep them: read here, not written by hand."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import sark_engine

from sark_e2e import binaries
from sark_e2e.bench.machine import cpu_model, memory_gib, require_release
from sark_e2e.program import CATALOGUE, ROOT, parse_version, show_version

from .raw import Environment

PACKAGES: Final = (
    "pytest-benchmark",
    "locust",
    "psutil",
    "memray",
    "py-spy",
    "matplotlib",
    "aiohttp",
    "httpx",
    "redis",
    "hiredis",
)
_SECONDS: Final = 20
_PROGRAMS: Final = ("opa", "prometheus")


class Observer:
    """Describes the machine around a measurement: made before it, asked after it."""

    def __init__(self) -> None:
        """Refuse anything but a release build of the engine. Raises BenchError."""
        require_release(sark_engine.build_profile)
        self._load = os.getloadavg()[0]

    def environment(self) -> Environment:
        """Return the machine as it is now."""
        return Environment(
            cpu=cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8")) + _frequency(),
            cores=len(os.sched_getaffinity(0)),
            memory_gib=round(memory_gib(Path("/proc/meminfo").read_text(encoding="utf-8")), 1),
            disk=_disk(),
            network="loopback only: servers and callers are on one machine",
            kernel=f"{platform.system()} {platform.release()}",
            os=platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
            commit=_commit(),
            build_profile=sark_engine.build_profile,
            load_before=round(self._load, 2),
            load_after=round(os.getloadavg()[0], 2),
            versions=_versions(),
        )


def _frequency() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "cpu MHz":
            return f", {float(value) / 1000:.1f} GHz"
    return ""


def _disk() -> str:
    """Return size and kind of the disk below the checkout; virtual machines and containers tell little."""
    total = shutil.disk_usage(ROOT).total / 1e9
    device = ROOT.stat().st_dev
    rotational = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/queue/rotational")
    try:
        kind = "HDD" if rotational.read_text(encoding="ascii").strip() == "1" else "SSD"
    except OSError:
        kind = "kind not told by the kernel"
    return f"{kind}, {total:.0f} GB"


def _commit() -> str:
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*", "--abbrev=12"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


@functools.cache
def _versions() -> dict[str, str]:
    found = {
        "python": platform.python_version(),
        "sark-engine": sark_engine.__version__,
        "regorus": sark_engine.regorus_version,
    }
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    asked: Mapping[str, tuple[str, ...]] = {
        **{name: (str(binaries.program(name)), *CATALOGUE[name].show) for name in _PROGRAMS},
        "redis": (str(binaries.redis_server()), "--version"),
        "rust": ("rustc", "--version"),
    }
    return found | {f"{name}-server" if name == "redis" else name: _version(command) for name, command in asked.items()}


def _version(command: tuple[str, ...]) -> str:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "not installed"
    found = parse_version(answer.stdout + answer.stderr)
    return show_version(found) if found else "unknown"
