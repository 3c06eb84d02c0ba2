"""Makes what is missing, then tells the stories of tests/e2e on real pods: `python -m sark_e2e.pods [--kind] [-k NAME]`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from sark_e2e import binaries, run_folder
from sark_e2e.program import ROOT, ProgramError
from sark_e2e.progress import to_stderr

from . import archives, kind_cluster, nest, node

CLUSTER: Final = "SARK_E2E"
"""Names the cluster for tests/e2e: nested or kind."""
STORIES: Final = ROOT / "tests" / "e2e"


def main(arguments: list[str]) -> int:
    """Return pytest's exit status."""
    kind = "--kind" in arguments
    command = [sys.executable, "-m", "pytest", "-v", str(STORIES), *(each for each in arguments if each != "--kind")]
    started = time.monotonic()
    try:
        if kind:
            kind_cluster.check()
        else:
            nest.check()
            node.check()
        needed = ("helm",) if kind else ("helm", *binaries.CONTROL_PLANE, *binaries.NODE)
        binaries.programs(needed, report=to_stderr)
        made = archives.ready(report=to_stderr)
        folder = run_folder.create("e2e")
        made.note(folder)
        to_stderr(f"ready after {time.monotonic() - started:.0f} s; logs are in {folder}")
        status = _kind(command, folder) if kind else _nested(command, folder)
    except ProgramError as error:
        to_stderr(f"error: {error}")
        return 1
    to_stderr(f"ended with status {status} after {time.monotonic() - started:.0f} s")
    return status


def _kind(command: list[str], folder: Path) -> int:
    environment = {**os.environ, CLUSTER: "kind", nest.FOLDER: str(folder)}
    return subprocess.run(command, env=environment, check=False).returncode


def _nested(command: list[str], folder: Path) -> int:
    os.environ[CLUSTER] = "nested"
    try:
        return nest.run(command, folder=folder)
    finally:
        # The images and containers; what a person looks at afterwards is beside them.
        for left in ("containerd/root", "kubelet/root", "nest"):
            shutil.rmtree(folder / left, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
