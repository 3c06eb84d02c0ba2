"""Children of a test, forked with Python's knowledge and without it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sark_e2e.deadline import eventually

PATIENCE: Final = 20.0


@dataclass
class Child:
    """A process that was forked."""

    pid: int
    said: int
    """The end of a pipe on which it says something."""

    def says(self) -> str:
        """Return what it has said at its end, and end it if that does not come."""
        words = b""
        try:
            while True:
                if not select.select([self.said], [], [], PATIENCE)[0]:
                    return "nothing: it stands still"
                if not (some := os.read(self.said, 65536)):
                    return words.decode()
                words += some
        finally:
            os.close(self.said)
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def fork(work: Callable[[], Any], how: Callable[[], int] = os.fork) -> Child:
    """Return a child that says what `work` returns or raises, and ends."""
    said, say = os.pipe()
    pid = how()
    if pid == 0:
        _forget_the_loop()
        try:
            try:
                words = str(work())
            except BaseException as error:  # noqa: BLE001 - nothing of a child may get into the tests of its parent
                words = repr(error)
            os.write(say, words.encode())
        finally:
            os._exit(0)
    os.close(say)
    return Child(pid, said)


def _forget_the_loop() -> None:
    """Be in no loop and no task: newer Pythons do not see by themselves that those of the parent are not a child's."""
    loop = asyncio._get_running_loop()  # noqa: SLF001 - what Python itself does in a child that it knows of
    if loop is not None and sys.version_info >= (3, 12):
        asyncio.tasks._swap_current_task(loop, None)  # noqa: SLF001 - likewise
    asyncio._set_running_loop(None)  # noqa: SLF001 - likewise


def _switches() -> dict[str, str]:
    """How often each thread of this process but the caller's has gone to sleep, or was put to it."""
    counted = {}
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            if int(task.name) != threading.get_native_id():
                counted[task.name] = "".join(line for line in (task / "status").read_text().splitlines() if "ctxt" in line)
    return counted


def fork_without_a_word() -> int:
    """Fork as a server written in C does: Python is not told.

    Nobody then frees the interpreter's own locks, which a thread has on its way to sleep: none may be on it.
    """

    def all_sleep() -> bool:
        before = _switches()
        time.sleep(0.05)
        return _switches() == before

    eventually(all_sleep, what="all other threads asleep", seconds=PATIENCE)
    pid: int = ctypes.PyDLL(None).fork()
    return pid
