"""The one control group of a run, in every hierarchy there is: all pods are below it, and it goes when the run has ended."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Final, Self

from sark_e2e.reaper import start_time

ROOT: Final = Path("/sys/fs/cgroup")
PREFIX: Final = "sark-e2e-"
_SECONDS: Final = 20.0
_WEIGHTS: Final = {"cpu.shares": "10240", "cpu.weight": "1000"}
"""Beside processes outside of groups the whole group would else get no more of the processor than one of them."""


class ControlGroup:
    """A group named for the process that makes it. A context manager; leaving it removes the group with all below it."""

    def __init__(self, pid: int, root: Path = ROOT) -> None:
        self.name = f"{PREFIX}{pid}"
        self._root = root

    def __enter__(self) -> Self:
        for hierarchy in _hierarchies(self._root):
            for left in hierarchy.glob(f"{PREFIX}*"):
                # A run that was killed outright could not remove its own.
                if start_time(int(left.name.removeprefix(PREFIX))) is None:
                    _remove(left)
            _make(hierarchy / self.name)
        return self

    def __exit__(self, *_: object) -> None:
        for hierarchy in _hierarchies(self._root):
            _remove(hierarchy / self.name)

    def leftovers(self) -> list[Path]:
        """Return what of it still exists."""
        return [path for each in _hierarchies(self._root) if (path := each / self.name).exists()]


def _hierarchies(root: Path) -> list[Path]:
    """Return the mounted hierarchies: one of version 2, or one for each controller of version 1."""
    if (root / "cgroup.controllers").exists():
        return [root]
    return [
        path for path in sorted(root.iterdir()) if path.is_dir() and not path.is_symlink() and (path / "cgroup.procs").exists()
    ]


def _make(group: Path) -> None:
    group.mkdir()
    for name in ("cpuset.cpus", "cpuset.mems"):
        # In version 1 a new cpuset has no processor, and no process can enter it.
        if (group / name).exists() and not (group / name).read_text().strip() and (group.parent / name).exists():
            (group / name).write_text((group.parent / name).read_text())
    for name, weight in _WEIGHTS.items():
        if (group / name).exists():
            (group / name).write_text(weight)


def _remove(group: Path) -> None:
    """Remove `group` and those below it; the kernel lets go of a dead process's group a moment later."""
    deadline = time.monotonic() + _SECONDS
    while group.exists() and time.monotonic() < deadline:
        below = sorted((path for path in group.rglob("*") if path.is_dir()), key=lambda path: len(path.parts), reverse=True)
        for path in (*below, group):
            with contextlib.suppress(OSError):
                path.rmdir()
        if group.exists():
            time.sleep(0.2)
