"""Simulated bakes side by side: each is a process's work for seconds, and none needs another."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Outcome = TypeVar("Outcome")
_FEW = 8
"""Runs that are over before further processes have begun."""


def each_of(runs: int, run: Callable[[int], Outcome]) -> list[Outcome]:
    """Return what `run` returns for 0, 1 ... `runs` - 1; it is called in several processes where there are many."""
    if runs <= _FEW:
        return [run(number) for number in range(runs)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(run, range(runs), chunksize=max(1, runs // 64)))
