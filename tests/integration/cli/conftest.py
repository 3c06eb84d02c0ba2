"""The command as a person starts it: another process, with the cluster's kubeconfig."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sark_e2e.cluster import LocalCluster

COMMAND = Path(sys.executable).parent / "sark-rollout"
SECONDS = 100
OFFLINE = ("simulate", "backtest")
"""Commands that ask no API server."""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it printed for programs."""
        return json.loads(self.out)


Run = Callable[..., Done]


@pytest.fixture
def run(cluster: LocalCluster) -> Run:
    """Run `sark-rollout` with the cluster's kubeconfig."""

    def start(*arguments: str, kubeconfig: Path | None = None, stdin: str = "") -> Done:
        reach = () if arguments[0] in OFFLINE else (f"--kubeconfig={kubeconfig or cluster.kubeconfig}",)
        command = [str(COMMAND), *arguments, *reach]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    return start
