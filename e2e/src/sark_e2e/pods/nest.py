"""Runs a command in kernel namespaces of its own: what it mounts, routes and starts is gone when it ends, however it ends.

Process, network, mount, host name and IPC namespaces. The command's first process ends everything in them when it ends, so that
no container, mount or interface can be left behind. Only control groups lie outside; `cgroups` removes them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sark_e2e.program import ProgramError
from sark_e2e.reaper import REAPER

from .cgroups import ControlGroup

GROUP: Final = "SARK_E2E_CGROUP"
FOLDER: Final = "SARK_E2E_FOLDER"
_TOOLS: Final = {"unshare": "util-linux", "ip": "iproute2", "mount": "mount", "iptables": "iptables"}


def check() -> None:
    """Raise ProgramError unless this process may make such namespaces."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise ProgramError("real pods need Linux and root: run `sudo make e2e`, or `make e2e-kind` with docker or podman")
    for tool, package in _TOOLS.items():
        if shutil.which(tool, path=search_path()) is None:
            raise ProgramError(f"{tool} is not on PATH: install {package}")


def search_path() -> str:
    """Return PATH with the administrator's folders, which a login shell may leave out."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def run(command: Sequence[str], *, folder: Path) -> int:
    """Run `command` in new namespaces, with `folder` for its files, and return its exit status. Raises ProgramError."""
    check()
    with ControlGroup(os.getpid()) as group:
        child = subprocess.Popen(
            [
                "unshare",
                *("--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"),
                *("--propagation", "private", "--", sys.executable, "-m", "sark_e2e.pods.first"),
                *command,
            ],
            env={**os.environ, "PATH": search_path(), GROUP: group.name, FOLDER: str(folder)},
            start_new_session=True,
        )
        REAPER.watch(child.pid)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # The command takes down what it set up, and then ends.
            signal.signal(number, lambda *_: os.killpg(child.pid, signal.SIGINT))
        status = child.wait()
        REAPER.forget(child.pid)
    left = group.leftovers()
    if left:
        raise ProgramError(f"control groups could not be removed: {', '.join(map(str, left))}")
    return status
