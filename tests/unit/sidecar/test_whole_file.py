"""Files replaced as a whole: whatever happens, there is the old content or the new."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sark_sidecar.whole_file import read_whole, replace_whole


def test_content_is_replaced_and_read_back(tmp_path: Path):
    path = tmp_path / "kept"
    assert read_whole(path, 10) is None
    replace_whole(path, b"old")
    replace_whole(path, b"new")
    assert read_whole(path, 10) == b"new"
    assert read_whole(path, 1) == b"ne"
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]


def test_a_full_disk_leaves_the_old_content_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "kept"
    replace_whole(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is not a plain file"):
        read_whole(tmp_path / "pipe", 10)
