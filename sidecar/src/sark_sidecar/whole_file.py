"""Files that are replaced as a whole, and read without trusting what they are."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def read_whole(path: Path, limit: int) -> bytes | None:
    """Return the bytes of the file, at most one more than `limit`; None when there is no such file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is a folder, a pipe or a device.
    """
    try:
        # Without O_NONBLOCK the opening of a pipe waits for its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{path} is not a plain file")
        return file.read(limit + 1)


def replace_whole(path: Path, content: bytes) -> None:
    """Replace the content of `path`: a crash leaves the old one or the new one, never a part.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - rename over the old one
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
