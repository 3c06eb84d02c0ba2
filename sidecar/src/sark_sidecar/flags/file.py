"""The flag document as a mounted file, read again whenever it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from sark_api.flags import MAX_DOCUMENT_BYTES
from sark_sidecar.whole_file import read_whole

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
        """Read the file once and report what is new."""
        try:
            text = await asyncio.to_thread(read_document_file, self._path)
        except (OSError, ValueError) as error:
            self._report(f"flag file {self._path} cannot be read: {error}")
            return
        if text is None:
            self._report(f"flag file {self._path} does not exist")
            return
        self._problem = ""
        if text != self._last:
            self._last = text
            self._on_text(text)

    def _report(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._on_problem(problem)
