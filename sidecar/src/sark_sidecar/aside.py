"""Text that is written by a thread of its own: whoever says something does not wait for whoever reads it."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TextIO

MOST_LINES = 1024
"""So many wait to be written; more are lost."""
LAST_LINES_SECONDS = 1.0
"""So long the end of a process waits for its last lines."""


class Aside:
    """A text stream whose writes never block: what an unread pipe or a full disk does not take is lost and counted."""

    def __init__(self, stream: TextIO, *, notice: Callable[[int], str] = lambda _: "", most_lines: int = MOST_LINES) -> None:
        """Write to `stream`. `notice` is the line, written once lines get through again, that says how many were lost."""
        self._write = _writer(stream)
        self._notice = notice
        self._most_lines = most_lines
        self._waiting: SimpleQueue[tuple[int, str | threading.Event]] = SimpleQueue()
        """Lines, and who waits until all before are written; each with how many lines had found no room until then."""
        self._lost = 0
        self._told = 0
        """Of the lost ones, those that a notice was written about."""
        self._failed = 0
        """Lines that could not be written since then."""
        # Whatever is logged while a line is taken, as by an object that is thrown away just then, is taken too.
        self._taking = threading.RLock()
        # Of a thread that hangs in a write the end of the process takes no notice.
        threading.Thread(target=self._run, name="aside", daemon=True).start()

    def write(self, text: str) -> int:
        """Have a whole line written, or lose it."""
        with self._taking:
            if self._waiting.qsize() >= self._most_lines:
                self._lost += 1
            else:
                self._waiting.put((self._lost, text))
        return len(text)

    def flush(self) -> None:
        """Return at once: nobody waits for what is written here but in `settle`."""

    def settle(self, seconds: float) -> bool:
        """Wait until all that was said is written or lost, but not for longer; return whether it is."""
        settled = threading.Event()
        with self._taking:
            self._waiting.put((self._lost, settled))
        return settled.wait(seconds)

    def _run(self) -> None:
        while True:
            lost, said = self._waiting.get()
            if isinstance(said, str):
                self._say(lost, said)
                # While more lines wait, the next one says what was lost before it.
                lost = self._lost
                if self._waiting.empty():
                    self._say(lost, "")
            else:
                self._say(lost, "")
                said.set()

    def _say(self, lost: int, text: str) -> None:
        """Write a line, before which so many were lost in all."""
        missing = lost - self._told + self._failed
        try:
            if text or missing:
                self._write(self._notice(missing) + text if missing else text)
        except (OSError, ValueError):
            self._failed += bool(text)
        else:
            self._told, self._failed = lost, 0


def _writer(stream: TextIO) -> Callable[[str], None]:
    """Return what writes to the file below `stream`, so that a write which hangs holds none of the stream's locks."""
    try:
        number = stream.fileno()
    except OSError:

        def write(text: str) -> None:
            stream.write(text)
            stream.flush()

        return write
    return lambda text: _write_all(number, text.encode(errors="backslashreplace"))


def _write_all(number: int, text: bytes) -> None:
    while text:
        try:
            text = text[os.write(number, text) :]
        except BlockingIOError:
            # Somebody has set the file not to block: then this thread waits by itself.
            select.select([], [number], [])
