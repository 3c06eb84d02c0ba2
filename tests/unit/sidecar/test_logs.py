"""Logs on a disk that is full."""

from __future__ import annotations

import io

from sark_sidecar.logs import Lossy


class FullDisk(io.StringIO):
    """Takes nothing while it is full."""

    def __init__(self) -> None:
        super().__init__()
        self.full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)

    def flush(self) -> None:
        if self.full:
            raise OSError(28, "No space left on device")


def test_a_line_that_cannot_be_written_is_lost_and_the_next_one_is_written():
    disk = FullDisk()
    lossy = Lossy(disk)
    assert lossy.write("one\n") == 4
    lossy.flush()
    disk.full = False
    lossy.write("two\n")
    lossy.flush()
    assert disk.getvalue() == "two\n"
