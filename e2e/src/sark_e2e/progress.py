"""How long steps tell a person that they are alive: one line at the start, one every few seconds, one at the end."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

Report = Callable[[str], None]
"""Takes one line, without line end, for a person to read."""


def to_stderr(line: str) -> None:
    """Print `line` on standard error at once."""
    print(line, file=sys.stderr, flush=True)


def silent(line: str) -> None:
    """Drop `line`."""


class Heartbeat:
    """Reports `what` with the seconds gone by, every `every` seconds, while its block runs."""

    def __init__(self, what: str, *, report: Report, every: float = 5.0) -> None:
        self._what = what
        self._report = report
        self._every = every
        self._done = threading.Event()
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the block was entered."""
        return time.monotonic() - self._started

    def _beat(self) -> None:
        while not self._done.wait(self._every):
            self._report(f"{self._what} ... {self.elapsed:.0f} s")

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()
