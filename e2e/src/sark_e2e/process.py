"""One program run as a child: its own process group, its log in a file, readiness with a deadline, and a sure end.

Children are told apart by process id and never by name. Each leads a process group of its own, so that Ctrl-C in a terminal
reaches only the program that started them, which then ends them in order; `reaper` ends them when that program dies.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from .progress import Report, silent
from .reaper import REAPER

Probe = Callable[[], str | None]
"""Returns None when what it asks is ready, else why it is not yet, in a few words. It must return within seconds."""

STOP_SECONDS: Final = 10.0
TAIL_LINES: Final = 40
_POLL_SECONDS: Final = 0.1
_WAIT_SECONDS: Final = 0.02
_HALT_SECONDS: Final = 0.001
_REPORT_SECONDS: Final = 5.0


class ProcessError(RuntimeError):
    """A program could not be started, ended by itself, or did not become ready; the message ends with its last log lines."""


class Process:
    """A child that can be started, awaited, signalled, stopped and started again. A context manager: leaving it stops it."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        ready: Probe | None = None,
        ready_seconds: float = 60.0,
        report: Report = silent,
    ) -> None:
        self.name = name
        self.log = log
        self._arguments = [str(argument) for argument in arguments]
        self._environment = dict(environment or {})
        self._directory = directory
        self._ready = ready
        self._ready_seconds = ready_seconds
        self._report = report
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()

    @property
    def pid(self) -> int:
        """Process id of the running child. Raises ProcessError when it does not run."""
        if self._child is None or self._ended(self._child):
            raise ProcessError(f"{self.name} is not running{self._tail_sentence()}")
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the child has been started and has not ended."""
        return self._child is not None and not self._ended(self._child)

    @property
    def exit_status(self) -> int | None:
        """Exit status, negative for a signal; None while it runs or before it was started."""
        return self._child.returncode if self._child is not None and self._ended(self._child) else None

    def start(self) -> Self:
        """Start the child and wait until it is ready. Raises ProcessError; the child is then ended."""
        if self.running:
            raise ProcessError(f"{self.name} is running already, as process {self.pid}")
        self._spawn()
        if self._ready is not None:
            try:
                self.wait_until(self._ready, seconds=self._ready_seconds)
            except BaseException:
                self.kill()
                raise
        return self

    def _spawn(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            log.write(f"--- {time.strftime('%H:%M:%S')} start: {' '.join(self._arguments)}\n".encode())
            log.flush()
            try:
                self._child = subprocess.Popen(
                    self._arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self._directory,
                    env={**os.environ, **self._environment},
                    start_new_session=True,
                )
            except OSError as error:
                raise ProcessError(f"{self.name} could not be started: {error}") from error
        REAPER.watch(self._child.pid)

    def wait_until(self, probe: Probe, *, seconds: float) -> None:
        """Wait until `probe` is satisfied. Raises ProcessError when the child ends first or `seconds` have passed."""
        started = time.monotonic()
        reported = started
        while (reason := probe()) is not None:
            now = time.monotonic()
            if not self.running:
                raise ProcessError(f"{self.name} ended with status {self.exit_status} while starting{self._tail_sentence()}")
            if now - started > seconds:
                raise ProcessError(f"{self.name} is not ready after {seconds:.0f} s: {reason}{self._tail_sentence()}")
            if now - reported > _REPORT_SECONDS:
                reported = now
                self._report(f"waiting for {self.name}: {reason} ... {now - started:.0f} s")
            time.sleep(_POLL_SECONDS)

    def wait(self, *, seconds: float) -> int:
        """Wait for the child to end by itself and return its exit status. Raises ProcessError when it has not in `seconds`."""
        deadline = time.monotonic() + seconds
        while self.running:
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.name} still runs after {seconds:.0f} s{self._tail_sentence()}")
            time.sleep(_WAIT_SECONDS)
        if self.exit_status is None:
            raise ProcessError(f"{self.name} was never started")
        return self.exit_status

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the child's whole group; SIGSTOP and SIGCONT make it hang and go on. Nothing if it ended.

        Returns from SIGSTOP when the child has stopped, every thread of it: until the kernel gets to them they answer.
        Raises ProcessError when it has not within seconds.
        """
        with self._lock:
            if self._child is not None and not self._ended(self._child):
                os.killpg(self._child.pid, number)
                if number is signal.SIGSTOP:
                    self._await_stopped(self._child)

    def _await_stopped(self, child: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        while os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.name} still runs {STOP_SECONDS:.0f} s after SIGSTOP{self._tail_sentence()}")
            time.sleep(_HALT_SECONDS)

    def kill(self) -> None:
        """End the child at once, as a crash would (SIGKILL), and wait for it."""
        with self._lock:
            child = self._child  # whoever starts the next one meanwhile does not keep this waiting
            self.send(signal.SIGKILL)
        while child is not None and not self._ended(child):
            time.sleep(_WAIT_SECONDS)

    def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """Ask the child to end (SIGTERM) and end it after `seconds` if it has not. Nothing happens when it does not run."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)
        deadline = time.monotonic() + seconds
        try:
            while self.running and time.monotonic() < deadline:
                time.sleep(_WAIT_SECONDS)
            if self.running:
                self._report(f"{self.name} did not end within {seconds:.0f} s of being asked; ending it")
        finally:
            self.kill()

    def _ended(self, child: subprocess.Popen[bytes]) -> bool:
        """Return whether `child` has ended; if so, end what it left in its group, and collect it.

        Until it is collected the kernel gives its id to nobody else, so the order matters.
        """
        with self._lock:
            if child.returncode is not None:
                return True
            if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return False
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            REAPER.forget(child.pid)
            return True

    def tail(self, lines: int = TAIL_LINES) -> str:
        """Return the log's last `lines` lines."""
        try:
            text = self.log.read_bytes()[-65_536:].decode("utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def _tail_sentence(self) -> str:
        return f"; end of {self.log}:\n{self.tail()}" if self.log.exists() else ""

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
