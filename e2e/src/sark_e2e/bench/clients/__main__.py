"""`python -m sark_e2e.bench.clients`: what a decision costs a Python application, beside aiohttp that asks OPA, in one run."""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import sark_engine
from rich.table import Table

from sark_e2e import binaries
from sark_e2e.bench.machine import RELEASES, describe
from sark_e2e.bench.tables import console, machine_lines
from sark_e2e.cluster import POLICIES
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer
from sark_e2e.progress import to_stderr
from sark_e2e.sidecar import Sidecar, SidecarInputs
from sark_sidecar.in_process import DecisionPoint

from .ways import Places, Way, ways

REFERENCE: Final = "aiohttp_opa"
_PATH: Final = "mcp/gateway/decision"
_FLAGS: Final = {"rust_opa_enabled": True, "rust_cache_enabled": True, "rollout_percentage": 100}
_QUESTION: Final[dict[str, Any]] = {
    "user": {"id": "user-00001", "tenant": "acme", "roles": ["developer"]},
    "action": "invoke",
    "tool": {"name": "read_ticket", "tenant": "acme"},
    "parameters": {"query": "the same"},
}


@contextlib.contextmanager
def places(folder: Path) -> Iterator[Places]:
    """Start OPA, a sidecar and a decision point, both with everybody in the new arm."""
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(LoopbackNetwork())
        opa = stack.enter_context(
            OpaServer(binaries.program("opa"), network=network, folder=folder / "opa", policies=POLICIES, report=to_stderr)
        )
        unix = folder / "data.sock"
        overrides: dict[str, dict[str, Any]] = {
            "flags": {"mode": "static"},
            "feature_flags": dict(_FLAGS),
            "cache": {"backend": "rust"},
            "data": {"unix_path": str(unix)},
            "fault_injection": {"enabled": False},
        }
        inputs = SidecarInputs(
            policies=POLICIES,
            opa_url=opa.url,
            redis_url="redis://127.0.0.1:1/0",
            namespace="bench",
            config_map="bench",
            kubeconfig=folder / "none.kubeconfig",
            overrides=overrides,
        )
        sidecar = Sidecar("sidecar", address=network.pod(), inputs=inputs, folder=folder / "sidecar", report=to_stderr)
        stack.enter_context(sidecar)
        point = stack.enter_context(
            DecisionPoint(
                {
                    "policies": {"directory": str(POLICIES)},
                    "opa": {"url": opa.url},
                    "cache": {"backend": "rust"},
                    "feature_flags": dict(_FLAGS),
                    "admin": {"port": 0},
                },
                path=_PATH,
            )
        )
        yield Places(point, sidecar.data_url, f"unix:{unix}", opa.url, _PATH, _QUESTION)


def measure(rows: list[Way], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return microseconds a decision of each row, round by round."""
    found: dict[str, list[float]] = {row.key: [] for row in rows}
    for number in range(rounds):
        for row in rows:
            to_stderr(f"round {number + 1} of {rounds}: {row.title}")
            row.run(seconds / 5)
            found[row.key].append(1e6 * seconds / max(1, row.run(seconds)))
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m sark_e2e.bench.clients", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    machine = describe({"opa": (binaries.program("opa"), "version")})
    with tempfile.TemporaryDirectory(prefix="bench-clients-") as folder, places(Path(folder)) as found:
        rows = ways(found)
        took = measure(rows, options.rounds, options.seconds)
    out = console()
    for line in machine_lines(machine):
        out.print(line)
    table = Table(title=f"A decision for a Python application ({options.seconds:g} s each; medians, rounds: {options.rounds})")
    table.add_column("")
    for heading in ("us a decision", "fastest - slowest", "times aiohttp -> OPA"):
        table.add_column(heading, justify="right")
    for row in rows:
        ratios = [other / own for own, other in zip(took[row.key], took[REFERENCE], strict=True)]
        spread = f"{min(took[row.key]):,.1f} - {max(took[row.key]):,.1f}"
        table.add_row(row.title, f"{statistics.median(took[row.key]):,.1f}", spread, f"{statistics.median(ratios):,.2f}")
    out.print(table)
    if sark_engine.build_profile not in RELEASES:
        out.print(f"the engine was built with the profile {sark_engine.build_profile}: slower than a release")
    return 0


if __name__ == "__main__":
    sys.exit(main())
