"""The last good flag document on disk: a restart while the API is away goes on where it was, until its validity ends."""

from __future__ import annotations

from pathlib import Path

from sark_api.flags import FlagDocument
from sark_sidecar.whole_file import replace_whole

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
    replace_whole(path, document.to_json().encode())
