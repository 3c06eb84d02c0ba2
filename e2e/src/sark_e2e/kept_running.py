"""A process that is started again whenever it has ended, as a Deployment would."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from .process import Process, ProcessError

PAUSE_SECONDS = 0.5


class KeptRunning:
    """A context manager around a process that was started: inside it the process comes back after every end."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"keeper of {process.name}", daemon=True)
        self.ends: list[int | None] = []
        """Exit statuses of the ends there were."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join(120)

    def _watch(self) -> None:
        while not self._over.wait(PAUSE_SECONDS):
            if self._process.running:
                continue
            self.ends.append(self._process.exit_status)
            try:
                self._process.start()
            except ProcessError:
                continue  # it ended again before it was ready; the next round starts it anew
