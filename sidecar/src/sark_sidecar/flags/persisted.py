"""The last good flag document on disk: a restart while the API is away goes on where it was, until its validity ends."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sark_api.flags import FlagDocument

from .file import read_document_file


def load_document(path: Path) -> bytes | None:
    """Return the text kept at `path`, or None when there is none.

    Raises:
        OSError: the file exists and cannot be read.
        ValueError: it is not a plain file.
    """
    return read_document_file(path)


def save_document(path: Path, document: FlagDocument) -> None:
    """Replace the text at `path` as a whole: a crash leaves the old one or the new one, never a part.

    Raises:
        OSError: the folder is missing or not writable.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(document.to_json())
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
