"""The files of a bundle: a gzipped tar archive, unpacked in memory within limits. Nothing of it ever touches the disk.

Accepted are plain files and folders. A link, a device, a sparse file, a path that leaves the archive, a name twice, bytes
behind the end of the archive, or odd headers are refused: what is not read as its author meant it must not decide.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from dataclasses import dataclass

from sark_sidecar.policies.sources import MAX_DEPTH, PolicySourceError

from .layout import Place, places

_MAX_NAME = 1024
_FOLDERS_PER_FILE = 4
"""Folders are members too; more of them than this for each file allowed are refused."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Most that is unpacked."""

    files: int
    total_bytes: int
    """Of the tar archive after inflating, its own headers included."""


def unpack(raw: bytes, limits: ArchiveLimits) -> dict[str, bytes]:
    """Return the files by their names as they stand in the archive, a leading slash cut off.

    Raises:
        PolicySourceError: it is no such archive, is beyond a limit, or holds what is refused.
    """
    archive = _inflate(raw, limits.total_bytes)
    try:
        return _files(archive, limits)
    except PolicySourceError:
        raise
    except Exception as error:
        # Nothing of it is verified yet, and tarfile raises more than it says: IndexError, RecursionError.
        raise PolicySourceError(f"the bundle is not a tar archive: {type(error).__name__}: {error}") from error


def _files(archive: bytes, limits: ArchiveLimits) -> dict[str, bytes]:
    # Before tarfile: what it would read for minutes must not come to it.
    expected = places(archive, max_members=limits.files * (1 + _FOLDERS_PER_FILE))
    files: dict[str, bytes] = {}
    read: list[Place] = []
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:", encoding="utf-8", errors="strict") as tar:
        while (member := tar.next()) is not None:
            read.append(Place(member.offset_data, member.size))
            if member.isdir():
                continue
            name = _name(member)
            if name in files:
                raise PolicySourceError(f"the bundle holds {name} twice")
            if len(files) == limits.files:
                raise PolicySourceError(f"the bundle holds more than {limits.files} files; raise policies.max_files if it must")
            files[name] = _content(tar, member)
    # A header that is none ends the archive for tarfile; what comes behind would silently be missing.
    if tuple(read) != expected:
        raise PolicySourceError("the bundle's archive is broken: its members can be read in two ways")
    return files


def _inflate(raw: bytes, limit: int) -> bytes:
    if not raw:
        raise PolicySourceError("the bundle is not a whole gzip file: it is empty")
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
            archive = stream.read(limit + 1)
    except Exception as error:
        # OSError, EOFError and zlib.error are what it is known to raise.
        raise PolicySourceError(f"the bundle is not a whole gzip file: {error}") from error
    if len(archive) > limit:
        raise PolicySourceError(f"the bundle has more than {limit} bytes when inflated; raise policies.max_bytes if it must")
    return archive


def _name(member: tarfile.TarInfo) -> str:
    if not member.isreg() or member.issparse():
        raise PolicySourceError(f"the bundle's member {_shown(member.name)} is neither a plain file nor a folder")
    name = member.name.removeprefix("/")
    steps = name.removeprefix("./").split("/")
    if len(name) > _MAX_NAME:
        raise PolicySourceError(f"the bundle's member {_shown(name)} has a name of more than {_MAX_NAME} characters")
    if any(step in {"", ".", ".."} for step in steps) or "\0" in name:
        raise PolicySourceError(f"the bundle's member {_shown(member.name)} has a path that could lead out of it")
    if len(steps) > MAX_DEPTH + 1:
        raise PolicySourceError(f"the bundle's member {_shown(name)} lies deeper than {MAX_DEPTH} folders")
    return name


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    content = stream.read() if stream is not None else b""
    if len(content) != member.size:
        raise PolicySourceError(f"the bundle's member {_shown(member.name)} is cut off")
    return content


def _shown(name: str) -> str:
    return ascii(name if len(name) <= 100 else f"{name[:100]}...")  # noqa: PLR2004 - enough to recognise it
