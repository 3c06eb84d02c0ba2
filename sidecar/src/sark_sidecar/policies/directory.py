"""Policies and data from a folder, as OPA loads one.

`*.rego` files at any depth are modules. `data.json` and `data.yaml` are base documents: one in the sub-folder `a/b` is found in
policies under `data.a.b`. Names that begin with a dot are skipped (a mounted ConfigMap has such). Anything else that OPA would
read in one of its modes but not in the other (`tools.json`, `data.yml`) is refused: both arms must serve the same.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sark_sidecar.exact_json import JsonError, loads_unique

from .plain_yaml import PlainYamlError, load_plain_yaml

MAX_DEPTH = 16


class PolicyFolderError(ValueError):
    """The folder cannot be served; the message names the file and says why."""


@dataclass(frozen=True, slots=True)
class PolicySources:
    """What was found."""

    modules: tuple[tuple[str, str], ...]
    """Pairs of (path below the folder, source), sorted."""
    data: dict[str, Any]
    """The base document."""
    digest: str
    """SHA-256 over all paths and contents: equal means unchanged."""


@dataclass(frozen=True, slots=True)
class FolderLimits:
    """Most that is read."""

    files: int
    total_bytes: int


def read_policies(folder: Path, limits: FolderLimits) -> PolicySources:
    """Return the modules and data below `folder`.

    Raises:
        PolicyFolderError: it is missing, too large, holds a file that is not understood, or no module at all.
    """
    contents = dict(_files(folder, limits))
    modules = [(name, _text(name, raw)) for name, raw in contents.items() if name.endswith(".rego")]
    if not modules:
        raise PolicyFolderError(f"{folder} holds no *.rego file")
    data: dict[str, Any] = {}
    for name, raw in contents.items():
        if not name.endswith(".rego"):
            _graft(data, name, _document(name, raw))
    return PolicySources(modules=tuple(modules), data=data, digest=_digest(contents))


def _files(folder: Path, limits: FolderLimits) -> Iterator[tuple[str, bytes]]:
    left = limits.total_bytes
    for count, path in enumerate(_walk(folder, folder, 0), start=1):
        if count > limits.files:
            raise PolicyFolderError(f"{folder} holds more than {limits.files} files; raise policies.max_files if it must")
        name = path.relative_to(folder).as_posix()
        raw = _read(path, name, left)
        left -= len(raw)
        yield name, raw


def _walk(folder: Path, root: Path, depth: int) -> Iterator[Path]:
    if depth > MAX_DEPTH:
        raise PolicyFolderError(f"{folder.relative_to(root).as_posix()} lies deeper than {MAX_DEPTH} folders")
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise PolicyFolderError(f"policy folder {folder}: {error.strerror}") from error
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, root, depth + 1)
        elif _is_understood(entry.name, path.relative_to(root).as_posix()):
            yield path


def _is_understood(name: str, where: str) -> bool:
    if name.endswith(".rego") or name in {"data.json", "data.yaml"}:
        return True
    if name.endswith((".json", ".yaml", ".yml", ".tar.gz")):
        raise PolicyFolderError(
            f"{where}: data is read from files named data.json or data.yaml only; rename it or move it away"
        )
    return False


def _read(path: Path, name: str, left: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PolicyFolderError(f"{name} is not a plain file")
            raw = file.read(left + 1)
    except OSError as error:
        raise PolicyFolderError(f"{name}: {error.strerror}") from error
    if len(raw) > left:
        raise PolicyFolderError(f"{name}: the folder holds more bytes than policies.max_bytes allows")
    return raw


def _text(name: str, raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyFolderError(f"{name} is not UTF-8 (byte {error.start})") from error


def _document(name: str, raw: bytes) -> dict[str, Any]:
    text = _text(name, raw)
    try:
        value = load_plain_yaml(text) if name.endswith(".yaml") else loads_unique(text)
    except PlainYamlError as error:
        raise PolicyFolderError(f"{name}: {error}") from error
    except JsonError as error:
        raise PolicyFolderError(f"{name} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise PolicyFolderError(f"{name} must hold an object at its top")
    return value


def _graft(data: dict[str, Any], name: str, document: dict[str, Any]) -> None:
    place = data
    steps = name.split("/")[:-1]
    for step in steps:
        below = place.setdefault(step, {})
        if not isinstance(below, dict):
            raise PolicyFolderError(f"{name}: {'/'.join(steps)} has a value already, from another file")
        place = below
    _merge(place, document, name)


def _merge(place: dict[str, Any], document: dict[str, Any], name: str) -> None:
    for key, value in document.items():
        if key not in place:
            place[key] = value
        elif isinstance(place[key], dict) and isinstance(value, dict):
            _merge(place[key], value, name)
        else:
            raise PolicyFolderError(f"{name}: {key} has a value already, from another file")


def _digest(contents: dict[str, bytes]) -> str:
    hasher = hashlib.sha256()
    for name, raw in sorted(contents.items()):
        for part in (name.encode("utf-8", "surrogateescape"), raw):
            hasher.update(len(part).to_bytes(8, "big"))
            hasher.update(part)
    return hasher.hexdigest()


def folder_signature(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Return name, inode, size and modification time of every file that is read: cheap to compare, changed by every change.

    Raises:
        PolicyFolderError: as for read_policies.
    """
    signature = []
    for path in _walk(folder, folder, 0):
        try:
            status = path.stat()
        except OSError as error:
            raise PolicyFolderError(f"{path.relative_to(folder).as_posix()}: {error.strerror}") from error
        signature.append((path.as_posix(), status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(signature)
