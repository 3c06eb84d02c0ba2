"""Logs of the last few runs are kept, and those of running ones are never dropped."""

from __future__ import annotations

import os
from pathlib import Path

from sark_e2e import run_folder

ENDED = 2**22 + 1  # Above the largest process id Linux gives out.


def test_only_the_newest_ended_runs_are_kept(tmp_path: Path):
    # Given more runs than are kept, and an old one that is still running
    for hour in range(run_folder.KEPT_RUNS + 3):
        (tmp_path / f"20260101-{hour:02}0000-pytest-{ENDED}").mkdir()
    running = tmp_path / f"20250101-000000-demo-{os.getpid()}"
    running.mkdir()

    # When another begins
    folder = run_folder.create("demo", tmp_path)

    # Then the oldest ended ones are gone
    left = sorted(path.name for path in tmp_path.iterdir() if path not in (folder, running))
    assert left == [f"20260101-{hour:02}0000-pytest-{ENDED}" for hour in range(3, run_folder.KEPT_RUNS + 3)]
    assert running.exists()
    assert folder.stat().st_mode & 0o077 == 0


def test_logs_are_found_below_the_folder_the_last_written_one_at_the_end(tmp_path: Path):
    for order, name in enumerate(("b.log", "a.log")):
        path = tmp_path / name.removesuffix(".log") / name
        path.parent.mkdir()
        path.touch()
        os.utime(path, (order, order))
    (tmp_path / "data.txt").touch()

    assert [path.name for path in run_folder.logs(tmp_path)] == ["b.log", "a.log"]
