"""How much processor time processes have used, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_UTIME: Final = 11
_STIME: Final = 12
"""Positions of user and system time among the fields after the command's closing parenthesis, in clock ticks."""


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the seconds of processor time the processes have used since they began, all threads, user and system."""
    ticks = sum(parse_ticks(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")) for pid in pids)
    return ticks / os.sysconf("SC_CLK_TCK")


def parse_ticks(stat: str) -> int:
    """Return user and system time in the text of /proc/PID/stat, in clock ticks."""
    # The command stands in parentheses and may contain anything, closing parentheses too.
    fields = stat.rpartition(")")[2].split()
    return int(fields[_UTIME]) + int(fields[_STIME])
