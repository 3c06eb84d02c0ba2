"""Policies and data from a folder, as OPA loads one.

`*.rego` files at any depth are modules. `data.json` and `data.yaml` are base documents: one in the sub-folder `a/b` is found in
policies under `data.a.b`. Names that begin with a dot are skipped (a mounted ConfigMap has such). Anything else that OPA would
read in one of its modes but not in the other (`tools.json`, `data.yml`) is refused: both arms must serve the same.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .sources import MAX_DEPTH, PolicySourceError, PolicySources, policy_sources


@dataclass(frozen=True, slots=True)
class FolderLimits:
    """Most that is read."""

    files: int
    total_bytes: int


def read_policies(folder: Path, limits: FolderLimits) -> PolicySources:
    """Return the modules and data below `folder`.

    Raises:
        PolicySourceError: it is missing, too large, holds a file that is not understood, or no module at all.
    """
    contents = dict(_files(folder, limits))
    if not any(name.endswith(".rego") for name in contents):
        raise PolicySourceError(f"{folder} holds no *.rego file")
    return policy_sources(contents)


def _files(folder: Path, limits: FolderLimits) -> Iterator[tuple[str, bytes]]:
    left = limits.total_bytes
    for count, path in enumerate(_walk(folder, folder, 0), start=1):
        if count > limits.files:
            raise PolicySourceError(f"{folder} holds more than {limits.files} files; raise policies.max_files if it must")
        name = path.relative_to(folder).as_posix()
        raw = _read(path, name, left)
        left -= len(raw)
        yield name, raw


def _walk(folder: Path, root: Path, depth: int) -> Iterator[Path]:
    if depth > MAX_DEPTH:
        _refuse_unless_text(folder.relative_to(root).as_posix())
        raise PolicySourceError(f"{folder.relative_to(root).as_posix()} lies deeper than {MAX_DEPTH} folders")
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise PolicySourceError(f"policy folder {folder}: {error.strerror}") from error
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, root, depth + 1)
        elif _is_understood(entry.name, path.relative_to(root).as_posix()):
            yield path


def _is_understood(name: str, where: str) -> bool:
    if name.endswith((".rego", ".json", ".yaml", ".yml", ".tar.gz")):
        _refuse_unless_text(where)
    if name.endswith(".rego") or name in {"data.json", "data.yaml"}:
        return True
    if name.endswith((".json", ".yaml", ".yml", ".tar.gz")):
        raise PolicySourceError(
            f"{where}: data is read from files named data.json or data.yaml only; rename it or move it away"
        )
    return False


def _refuse_unless_text(where: str) -> None:
    """Refuse a name of bytes that are no UTF-8: no module can be told by it, and no member of `data` can have it."""
    try:
        where.encode()
    except UnicodeEncodeError as error:
        raise PolicySourceError(f"{where!a}: its name is not UTF-8; rename it or move it away") from error


def _read(path: Path, name: str, left: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PolicySourceError(f"{name} is not a plain file")
            raw = file.read(left + 1)
    except OSError as error:
        raise PolicySourceError(f"{name}: {error.strerror}") from error
    if len(raw) > left:
        raise PolicySourceError(f"{name}: the folder holds more bytes than policies.max_bytes allows")
    return raw


def folder_signature(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Return name, inode, size and modification time of every file that is read: cheap to compare, changed by every change.

    Raises:
        PolicySourceError: as for read_policies.
    """
    signature = []
    for path in _walk(folder, folder, 0):
        try:
            status = path.stat()
        except OSError as error:
            raise PolicySourceError(f"{path.relative_to(folder).as_posix()}: {error.strerror}") from error
        signature.append((path.as_posix(), status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(signature)
