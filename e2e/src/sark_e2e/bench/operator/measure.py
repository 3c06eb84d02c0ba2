"""The measurements, each on a stand that is running."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client

from sark_api.names import GROUP, PLURAL, VERSION
from sark_e2e.bench.cpu_time import cpu_seconds
from sark_e2e.bench.failure import BenchError

from .operator_metrics import Counted, counted
from .stand import Stand


@dataclass(frozen=True)
class Steady:
    """What an operator uses while all is well."""

    rollouts: int
    seconds: float
    cores: float
    """Processor time per second, all threads."""
    memory_mib: float
    ticks_per_minute: float
    lag_p99_seconds: float
    """Upper bound of the histogram's bucket."""
    tick_p99_seconds: float
    api_calls_per_minute: float
    queries_per_minute: float
    failed_ticks: float


@dataclass(frozen=True)
class Reaction:
    """Seconds from the end of the scrape that first held failed requests to the ConfigMap that says 0 %."""

    rollouts: int
    failing: int
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class Burst:
    """Seconds until all rollouts were answered for."""

    rollouts: int
    edited_seconds: float
    """How long the edits themselves took."""
    answered_seconds: float
    """From the last edit to the last rollout whose observedGeneration caught up."""


@dataclass(frozen=True)
class Restart:
    """Seconds after the start of a new operator, with all rollouts live."""

    rollouts: int
    ready_seconds: float
    evaluated_seconds: float
    """Until the last rollout had been taken over by the new one, which evaluates it in the same breath."""


def steady(stand: Stand, seconds: float) -> Steady:
    """Watch the operator for `seconds`."""
    pid = stand.operator.pid
    before, api_before, cpu, began = *_both(stand), cpu_seconds([pid]), time.monotonic()
    time.sleep(seconds)
    length, used = time.monotonic() - began, cpu_seconds([pid]) - cpu
    operator, api = (after.since(earlier) for after, earlier in zip(_both(stand), (before, api_before), strict=True))
    minutes = length / 60
    return Steady(
        rollouts=len(stand.keys),
        seconds=round(length, 1),
        cores=used / length,
        memory_mib=_resident_mib(pid),
        ticks_per_minute=operator.sum("sark_operator_ticks_total", outcome="done") / minutes,
        lag_p99_seconds=operator.quantile("sark_operator_tick_lag_seconds", 0.99),
        tick_p99_seconds=operator.quantile("sark_operator_tick_seconds", 0.99),
        api_calls_per_minute=api.api_calls() / minutes,
        queries_per_minute=operator.sum("sark_operator_prometheus_queries_total") / minutes,
        failed_ticks=operator.sum("sark_operator_ticks_total", outcome="failed"),
    )


def reaction(stand: Stand, failing: int, seconds: float) -> Reaction:
    """Let the new arm of some rollouts fail altogether, and wait for their 0 %. Raises BenchError."""
    keys = stand.keys[:: max(1, len(stand.keys) // failing)][:failing]
    pods = [stand.sidecars.pods[key] for key in keys]
    for key in keys:
        stand.sidecars.seen[key].pop(0, None)
    stand.sidecars.fail(keys)
    deadline = time.monotonic() + seconds
    while left := [key for key in keys if 0 not in stand.sidecars.seen[key]]:
        if time.monotonic() > deadline:
            raise BenchError(f"{len(left)} of {failing} failing rollouts were not taken back within {seconds:.0f} s")
        time.sleep(0.1)
    found = [stand.sidecars.seen[key][0] - (each.failed_at or 0.0) for key, each in zip(keys, pods, strict=True)]
    return Reaction(len(stand.keys), failing, tuple(round(value, 3) for value in found))


def burst(stand: Stand, seconds: float) -> Burst:
    """Edit the spec of all rollouts at once, and wait until each has been answered. Raises BenchError."""
    began = time.monotonic()
    stand.each(stand.keys, _edit)
    edited = time.monotonic()
    stand.until("answering an edit of all", _is_answered, seconds)
    return Burst(len(stand.keys), round(edited - began, 1), round(time.monotonic() - edited, 1))


def restart(stand: Stand, seconds: float) -> Restart:
    """Kill the operator, start it anew, and wait until it has come to every rollout. Raises BenchError."""
    before = {_leader(item) for item in stand.objects()}
    stand.operator.kill()
    began = time.monotonic()
    stand.operator.start()
    ready = time.monotonic() - began
    stand.until("a new leader after a restart", lambda item: _leader(item) not in before, seconds)
    return Restart(len(stand.keys), round(ready, 1), round(time.monotonic() - began, 1))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of them lie: one of them, the next larger."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _both(stand: Stand) -> tuple[Counted, Counted]:
    plane = stand.control_plane
    return counted(stand.operator_url), counted(plane.server, plane.tls())


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise BenchError(f"the memory of process {pid} cannot be read")


def _edit(custom: client.CustomObjectsApi, namespace: str, name: str) -> object:
    return custom.patch_namespaced_custom_object(
        GROUP, VERSION, namespace, PLURAL, name, {"spec": {"approvals": {"validFor": "25h"}}}
    )


def _is_answered(item: dict[str, Any]) -> bool:
    answered: bool = (item.get("status") or {}).get("observedGeneration") == item["metadata"]["generation"]
    return answered


def _leader(item: dict[str, Any]) -> tuple[str, int]:
    """Return which process keeps the rollout. It is stored at once, unlike the time of an evaluation without news."""
    leader = (item.get("status") or {}).get("leader") or {}
    return leader.get("identity", ""), leader.get("term", 0)
