"""How long this process has been running."""

from __future__ import annotations

import os
import time
from pathlib import Path

_STARTED_FIELD = 19
"""Of what follows the program's name in `/proc/self/stat`: when it started, in ticks since boot."""


def process_age() -> float:
    """Return the seconds since the process was started, its own imports included."""
    fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    started = int(fields[_STARTED_FIELD]) / os.sysconf("SC_CLK_TCK")
    return max(time.clock_gettime(time.CLOCK_BOOTTIME) - started, 0.0)
