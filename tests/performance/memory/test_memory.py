"""What stays behind after 100,000 operations, and what a sidecar's memory does in the long run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sark_e2e.performance import stability
from sark_e2e.performance.leak import COMPONENTS
from sark_e2e.performance.stand import ARMS, Stand
from sark_e2e.performance.suite import Recording, Suite

OPERATIONS = 100_000
SCALED_HOURS = 2 / 60
"""At the default scale, so that a report of half an hour has something to show; a full run takes a day."""
RATE = 200.0


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("component", COMPONENTS)
def test_operations_leave_nothing_behind(suite: Suite, stand: Stand, component: str, arm: str):
    asked = stand.asked["miss" if component == "cache" else "complex"]
    url = stand.redis.url if component == "cache" else f"{stand.opa.url}/v1/data/{asked.path}"
    recording = Recording(suite, "memory", f"leak-{component}", arm, "psutil", 0)
    command = [sys.executable, "-m", "sark_e2e.performance.leak", component, arm, "--url", url, "--path", asked.path]
    files = ["--bodies", str(asked.bodies), "--answers", str(asked.answers), "--policies", str(stand.policies)]
    done = subprocess.run([*command, *files, "--operations", str(OPERATIONS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    memory = seen["memory"]
    recording.keep(
        {
            "operations": (OPERATIONS, ""),
            "initial": (memory[0], "MB"),
            "final": (memory[-1], "MB"),
            "growth": (memory[-1] - memory[0], "MB"),
            "peak": (max(memory), "MB"),
            "second-half": (memory[-1] - memory[len(memory) // 2], "MB"),
        },
        {"memory": ("MB", seen["operations"], memory)},
        notes=["the series' first numbers are operations, not seconds"],
    )


@pytest.mark.parametrize("arm", ARMS)
def test_stability(suite: Suite, stand: Stand, tmp_path: Path, arm: str):
    hours = min(stability.HOURS, max(SCALED_HOURS, stability.HOURS * (suite.scale - 1 / 60)))
    recording = Recording(suite, "memory", "stability", arm, "psutil", stability.HOURS * 3600)
    samples = stability.ask(stand, arm, tmp_path / "samples.jsonl", hours=hours, rate=RATE)
    stability.keep(recording, samples, hours=hours, rate=RATE)
