"""Where one run keeps its logs, keys and data: a folder of its own below .cache/run, the last few of which are kept."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Final

from .program import ROOT
from .reaper import start_time

RUNS: Final = ROOT / ".cache" / "run"
KEPT_RUNS: Final = 8


def create(purpose: str, runs: Path = RUNS) -> Path:
    """Return a new folder named for its time, `purpose` and this process; drop the older ones of runs that have ended."""
    runs.mkdir(parents=True, exist_ok=True)
    for old in sorted(path for path in runs.iterdir() if _ended(path))[:-KEPT_RUNS]:
        shutil.rmtree(old, ignore_errors=True)
    folder = runs / f"{time.strftime('%Y%m%d-%H%M%S')}-{purpose}-{os.getpid()}"
    folder.mkdir(mode=0o700)
    return folder


def logs(folder: Path) -> list[Path]:
    """Return the log files of a run, the one written to last at the end."""
    return sorted(folder.rglob("*.log"), key=lambda path: path.stat().st_mtime)


def _ended(folder: Path) -> bool:
    pid = folder.name.rpartition("-")[2]
    return folder.is_dir() and pid.isdigit() and start_time(int(pid)) is None
