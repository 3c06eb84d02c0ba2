"""How much processor time processes have used, from the kernel's clock of each process."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from .failure import BenchError

_SCHEDULER_CLOCK: Final = 2
"""Which of a process's clocks is meant: the one the scheduler keeps, in nanoseconds."""


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the seconds of processor time the processes have used since they began, all threads, user and system.

    Raises:
        BenchError: a process has ended, or the system keeps no such clocks.
    """
    return sum(_cpu_seconds(pid) for pid in pids)


def _cpu_seconds(pid: int) -> float:
    try:
        # Linux gives every process a clock, whose number is made of the process's: clock_getcpuclockid(3) does the same.
        return time.clock_gettime((~pid << 3) | _SCHEDULER_CLOCK)
    except OSError as error:
        raise BenchError(f"the processor time of process {pid} cannot be read: {error}") from error
