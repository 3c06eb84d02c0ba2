"""Ends a cluster's processes when the program that started them is gone, however it went, even by SIGKILL.

The program holds the write end of a pipe to a small child, `python -m sark_e2e.reaper`, and tells it which process groups it
started. The kernel closes the pipe when the program ends; the child then ends what is left of those groups. A group is named by
its leader's id and start time, so that an id the kernel has given to somebody else meanwhile is left alone.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Final

GRACE_SECONDS: Final = 5.0
"""Time between asking the groups to end and ending them."""

_START_TIME_FIELD: Final = 19
"""Index of `starttime` in /proc/PID/stat, counted after the command's closing parenthesis."""


def start_time(pid: int) -> int | None:
    """Return when process `pid` started, in clock ticks since boot; None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[_START_TIME_FIELD])


class Reaper:
    """The starting program's end of the pipe. Thread-safe; the child is started with the first group that is watched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._pipe: IO[str] | None = None

    def watch(self, pid: int) -> None:
        """End the process group led by `pid` when this program is gone."""
        self._send(f"watch {pid} {start_time(pid) or 0}")

    def forget(self, pid: int) -> None:
        """Leave the process group led by `pid` alone: it has ended."""
        self._send(f"forget {pid} 0")

    def _send(self, line: str) -> None:
        with self._lock:
            if self._pipe is None or self._owner != os.getpid():
                self._start()
            if self._pipe is None:
                return
            with contextlib.suppress(BrokenPipeError, ValueError):
                self._pipe.write(line + "\n")
                self._pipe.flush()

    def _start(self) -> None:
        child = subprocess.Popen(
            [sys.executable, "-m", "sark_e2e.reaper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        child.returncode = 0  # It outlives this program on purpose: nobody waits for it, and Popen need not warn of that.
        if self._pipe is None:
            atexit.register(self.close)
        self._pipe = child.stdin
        self._owner = os.getpid()

    def close(self) -> None:
        """Say that this program is done; the child ends what is still watched, then itself."""
        with self._lock:
            if self._pipe is not None:
                self._pipe.close()


REAPER: Final = Reaper()
"""The one of this program."""


def main() -> None:
    """Read commands from standard input until it closes, then end every group still watched."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, int] = {}
    for line in sys.stdin:
        verb, pid, started = line.split()
        if verb == "watch":
            groups[int(pid)] = int(started)
        else:
            groups.pop(int(pid), None)
    if any(_ours(pid, started) for pid, started in groups.items()):
        _end(groups)


def _end(groups: dict[int, int]) -> None:
    _signal(groups, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(_ours(pid, started) for pid, started in groups.items()):
        time.sleep(0.1)
    _signal(groups, signal.SIGKILL)


def _signal(groups: dict[int, int], number: signal.Signals) -> None:
    for pid, started in groups.items():
        if _ours(pid, started):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, number)


def _ours(pid: int, started: int) -> bool:
    return start_time(pid) == started


if __name__ == "__main__":
    main()
