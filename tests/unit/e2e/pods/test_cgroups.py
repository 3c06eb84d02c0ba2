from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sark_e2e.pods.cgroups import ControlGroup


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    for name in ("memory", "cpuset", "not-mounted"):
        (tmp_path / name).mkdir()
    for name in ("memory", "cpuset"):
        (tmp_path / name / "cgroup.procs").touch()
    (tmp_path / "cpuset-alias").symlink_to("cpuset")
    return tmp_path


def test_it_is_made_in_every_hierarchy_and_removed_with_all_below(version_1: Path):
    with ControlGroup(os.getpid(), version_1) as group:
        assert group.leftovers() == [version_1 / "cpuset" / group.name, version_1 / "memory" / group.name]
        (version_1 / "memory" / group.name / "kubepods" / "pod1" / "container").mkdir(parents=True)
    assert group.leftovers() == []
    assert not (version_1 / "not-mounted" / group.name).exists()


def test_version_2_has_one(tmp_path: Path):
    (tmp_path / "cgroup.controllers").touch()
    with ControlGroup(os.getpid(), tmp_path) as group:
        assert group.leftovers() == [tmp_path / group.name]
    assert group.leftovers() == []


def test_what_a_killed_run_left_is_removed_and_what_another_uses_is_not(version_1: Path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = version_1 / "memory" / f"sark-e2e-{ended.pid}" / "kubepods"
    left.mkdir(parents=True)
    used = version_1 / "memory" / f"sark-e2e-{os.getppid()}"
    used.mkdir()
    with ControlGroup(os.getpid(), version_1):
        assert not left.parent.exists()
        assert used.exists()
