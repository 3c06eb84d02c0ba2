"""The flag document as a mounted file, read again whenever it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from sark_api.flags import MAX_DOCUMENT_BYTES
from sark_sidecar.unforeseen import unforeseen
from sark_sidecar.whole_file import read_whole

log = structlog.get_logger()
POLL_SECONDS = 0.5


def read_document_file(path: Path) -> bytes | None:
    """Return the bytes of the file, at most one more than a document may have; None when there is no such file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is a folder, a pipe or a device.
    """
    return read_whole(path, MAX_DOCUMENT_BYTES)


class FlagFile:
    """Follows one file by polling: it works on every file system, mounted ConfigMaps included."""

    def __init__(self, path: Path, *, on_text: Callable[[bytes], None], on_problem: Callable[[str], None]) -> None:
        """Call `on_text` with each new content, and `on_problem` with a sentence when the file cannot be read."""
        self._path = path
        self._on_text = on_text
        self._on_problem = on_problem
        self._last: bytes | None = None
        self._problem = ""

    async def run(self) -> None:
        """Follow the file until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(POLL_SECONDS)

    async def look(self) -> None:
        """Read the file once and report what is new. Whatever comes of it, the next look is made."""
        try:
            await self._look()
        except (OSError, ValueError) as error:
            self._report(f"flag file {self._path} cannot be read: {error}")
        except Exception as error:  # noqa: BLE001 - what is in force stays, and the file may change
            self._report(f"flag file {self._path}: {unforeseen(error)}", error)

    async def _look(self) -> None:
        text = await asyncio.to_thread(read_document_file, self._path)
        if text is None:
            self._report(f"flag file {self._path} does not exist")
            return
        if text != self._last:
            self._on_text(text)
            self._last = text
        self._problem = ""

    def _report(self, problem: str, fault: Exception | None = None) -> None:
        """Tell a problem unless it is the one told last; `fault` is one that nobody foresaw."""
        if problem == self._problem:
            return
        self._problem = problem
        if fault is not None:
            log.error("the flag file cannot be followed", path=str(self._path), exc_info=fault)
        self._on_problem(problem)
