"""The new arm beside a baseline that rests, is busy, or hangs, in one sidecar with half of the subjects in each arm."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from sark_api.assignment import in_new_arm
from sark_e2e.bench import questions
from sark_e2e.bench.contestants import Programs
from sark_e2e.bench.decisions import WARM_UP_SECONDS
from sark_e2e.bench.load import AWAKE_SECONDS, Load, run_load
from sark_e2e.cluster import POLICIES
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer
from sark_e2e.progress import Report
from sark_e2e.redis import RedisServer
from sark_e2e.sidecar import Sidecar, SidecarInputs
from sark_e2e.traffic.mix import PATH

SALT: Final = "beside"
SHARE: Final = 50
RATE: Final = 500
"""Questions a second of the new arm."""
BUSY_RATE: Final = 400
"""Of the baseline while it is busy: new questions, each an evaluation of OPA. About half of what it can."""
_CONNECTIONS: Final = 16
_IDLE, _BUSY, _HUNG = (
    "has nothing to do",
    f"answers {BUSY_RATE} new questions a second",
    "hangs: OPA is stopped, 16 questions wait",
)
_PATIENT: Final = {"timeout": "60s", "breaker": {"failures": 1000, "slow_after": "60s"}}
"""So that who hangs goes on hanging: neither the deadline nor the circuit ends it within a measurement."""


@dataclass(frozen=True)
class Beside:
    """The new arm during one state of the baseline, once."""

    baseline: str
    round: int
    load: Load


def measure_beside(programs: Programs, folder: Path, rounds: int, seconds: float, report: Report) -> list[Beside]:
    """Return all measurements. Raises BenchError: every question of the new arm must be answered with a decision."""
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(LoopbackNetwork())
        opa = stack.enter_context(OpaServer(programs.opa, network=network, folder=folder / "opa", policies=POLICIES))
        redis = stack.enter_context(RedisServer(programs.redis, network=network, folder=folder / "redis"))
        inputs = SidecarInputs(POLICIES, opa.url, redis.url, "bench", "bench", folder / "none.kubeconfig", _overrides())
        sidecar = Sidecar("sidecar", address=network.pod(), inputs=inputs, folder=folder / "sidecar", report=report)
        stack.enter_context(sidecar)
        new, baseline = (_bodies(folder, new_arm=new_arm) for new_arm in (True, False))
        url = sidecar.data_url + PATH

        def measured(state: str, number: int) -> Beside:
            report(f"round {number} of {rounds}, the baseline {state}")
            ask = {"url": url, "bodies": new, "connections": _CONNECTIONS, "per_second": RATE, "awake_seconds": AWAKE_SECONDS}
            run_load(programs.bench, seconds=WARM_UP_SECONDS, **ask)  # type: ignore[arg-type]  # one dict of several types
            return Beside(state, number, run_load(programs.bench, seconds=seconds, **ask))  # type: ignore[arg-type]

        found = []
        for number in range(1, rounds + 1):
            found.append(measured(_IDLE, number))
            with _background(programs.bench, url, baseline, rate=BUSY_RATE):
                found.append(measured(_BUSY, number))
            opa.send(signal.SIGSTOP)
            try:
                with _background(programs.bench, url, baseline, rate=None):
                    found.append(measured(_HUNG, number))
            finally:
                opa.send(signal.SIGCONT)
        return found


def _overrides() -> dict[str, dict[str, Any]]:
    return {
        "flags": {"mode": "static", "salt": SALT},
        "feature_flags": {"rust_opa_enabled": True, "rust_cache_enabled": True, "rollout_percentage": SHARE},
        "opa": dict(_PATIENT),
        "fault_injection": {"enabled": False},
    }


def _bodies(folder: Path, *, new_arm: bool) -> Path:
    """Write the questions of the usual mix, none like another, that subjects of one arm ask."""
    path = folder / f"{'new' if new_arm else 'baseline'}.jsonl"
    lines = [line for line in questions.distinct_questions().splitlines(keepends=True) if _is_in(line) is new_arm]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _is_in(line: str) -> bool:
    return in_new_arm(SALT, json.loads(line)["input"]["user"]["id"], SHARE)


@contextlib.contextmanager
def _background(client: Path, url: str, bodies: Path, *, rate: int | None) -> Iterator[None]:
    """Ask meanwhile, `rate` questions a second or as soon as there is an answer; what comes of it does not matter."""
    mode = ["load"] if rate is None else ["paced", "--rate", str(rate), "--awake", str(AWAKE_SECONDS)]
    asked = ["--url", url, "--bodies", str(bodies), "--connections", str(_CONNECTIONS), "--seconds", "600"]
    with subprocess.Popen([client, *mode, *asked], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as asking:
        try:
            yield
        finally:
            asking.kill()


def beside_table(found: Sequence[Beside]) -> str:
    """Return medians of the rounds as a Markdown table."""
    lines = ["| the baseline | new arm answered | p50 ms | p95 ms | p99 ms |", "| --- | --- | --- | --- | --- |"]
    for state in dict.fromkeys(each.baseline for each in found):
        loads = [each.load for each in found if each.baseline == state]
        times = [f"{median(getattr(load, name) for load in loads) / 1000:.3f}" for name in ("p50_us", "p95_us", "p99_us")]
        lines.append(f"| {state} | {median(load.per_second for load in loads):,.0f}/s | {' | '.join(times)} |")
    return "\n".join(lines)
