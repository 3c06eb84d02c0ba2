"""Where the members of a tar archive lie, found from its headers alone, before tarfile reads any of it.

Nothing of the archive is verified by then, and headers cost tarfile more than their size: until Python 3.11.10 and 3.12.6 a row
of digits in an extended header costs its square and holds the interpreter all the while (CVE-2024-6232), each member keeps a
copy of the global header, and headers that extend headers are read by recursion. So what could cost much, and whatever readers
of tar archives do not all take alike, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from sark_sidecar.policies.sources import PolicySourceError

_BLOCK: Final = 512
_POSIX_MAGIC: Final = b"ustar\0"
_OCTAL: Final = re.compile(rb" *([0-7]*)[ \0]*")
_RECORD_LENGTH: Final = re.compile(rb"([1-9][0-9]{0,3}) ")

_GLOBAL, _PAX, _SOLARIS_PAX, _LONG_NAME, _LONG_LINK = b"g", b"x", b"X", b"L", b"K"
_MAY_FOLLOW: Final = {
    _GLOBAL: frozenset[bytes](),
    _PAX: frozenset({_GLOBAL}),
    _SOLARIS_PAX: frozenset({_GLOBAL}),
    _LONG_NAME: frozenset({_GLOBAL, _LONG_LINK}),
    _LONG_LINK: frozenset({_GLOBAL, _LONG_NAME}),
}
"""The kinds of headers that extend another one, and which of them may stand between the member before and each."""
_OLD_FILE, _SPARSE = b"\0", b"S"
_WITHOUT_CONTENT: Final = frozenset({b"1", b"2", b"3", b"4", b"5", b"6"})
"""Links, devices, folders and pipes: whatever size they say, the next header comes at once."""

_MAX_EXTENSION: Final = 8192
"""A name of 1,024 characters, a link's as long, and room."""
_EXTENSIONS_PER_MEMBER: Final = 1024
"""Bytes of extensions for each member allowed; all of them together."""
_MAX_RECORDS: Final = 32
_MAX_DIGITS: Final = 32
"""In a row, anywhere in an extended header. Times have 20."""
_NOT_FOR_ALL: Final = frozenset({b"path", b"linkpath", b"size"})
_MAX_SIZE_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Place:
    """Where the content of a member begins, and how many bytes it says it has."""

    at: int
    size: int


def places(archive: bytes, *, max_members: int) -> tuple[Place, ...]:
    """Return the places of the members, links and folders among them.

    Raises:
        PolicySourceError: the archive is broken, has more members, or holds what is refused.
    """
    found: list[Place] = []
    extensions = _Extensions(max_members * _EXTENSIONS_PER_MEMBER)
    at = 0
    while (block := archive[at : at + _BLOCK]).strip(b"\0"):
        kind, size = _header(block, at)
        content_at = at + _BLOCK
        if kind in _MAY_FOLLOW:
            at = content_at + _padded(size)
            extensions.take(kind, archive[content_at:at], size, content_at)
            continue
        if len(found) == max_members:
            raise PolicySourceError(f"the bundle has more than {max_members} members")
        if kind == _OLD_FILE and _is_folders_name(block) and (size or extensions.pending):
            _refuse("a folder of the oldest kind that is more than a name", at)
        size = extensions.end(size)
        found.append(Place(content_at, size))
        at = content_at if kind in _WITHOUT_CONTENT else content_at + _padded(size)
    if at > len(archive):
        _refuse("the last member is cut off", len(archive))
    if extensions.pending:
        _refuse("an extended header without a member", at)
    if archive[at:].strip(b"\0"):
        raise PolicySourceError("the bundle's archive is broken: there is more behind its end")
    return tuple(found)


class _Extensions:
    """The headers that extend the next one, as far as its place depends on them."""

    def __init__(self, most_bytes: int) -> None:
        """Take so many bytes of them altogether."""
        self._left = most_bytes
        self._has_global = False
        self._before: set[bytes] = set()
        self._size: int | None = None

    @property
    def pending(self) -> bool:
        """Whether the member that they extend is still to come."""
        return bool(self._before)

    def take(self, kind: bytes, padded: bytes, size: int, at: int) -> None:
        """Take one whose content, padded to whole blocks, begins at `at`."""
        self._left -= size
        if size > _MAX_EXTENSION or self._left < 0:
            _refuse("extended headers that are too long", at)
        if len(padded) < _padded(size) or padded[size:].strip(b"\0"):
            _refuse("an extended header that is cut off, or longer than it says", at)
        if not self._before <= _MAY_FOLLOW[kind] or (kind == _GLOBAL and self._has_global):
            _refuse("more extended headers than one of a kind", at)
        self._before.add(kind)
        self._has_global |= kind == _GLOBAL
        if kind in {_GLOBAL, _PAX, _SOLARIS_PAX}:
            self._take_records(_records(padded[:size], at), at, for_all=kind == _GLOBAL)

    def _take_records(self, records: Mapping[bytes, bytes], at: int, *, for_all: bool) -> None:
        if for_all and _NOT_FOR_ALL & records.keys():
            _refuse("a path or a size for all members", at)
        if any(key.startswith(b"GNU.sparse.") for key in records):
            _refuse("a sparse file", at)
        if (size := records.get(b"size")) is not None:
            if not size.isdigit() or len(size) > _MAX_SIZE_DIGITS:
                _refuse("a size that is no number", at)
            self._size = int(size)

    def end(self, size: int) -> int:
        """Let the member come, and return its size where its own header says `size`."""
        extended = size if self._size is None else self._size
        self._before.clear()
        self._size = None
        return extended


def _header(block: bytes, at: int) -> tuple[bytes, int]:
    """Return kind and size."""
    if len(block) < _BLOCK or _number(block[148:156], at) != sum(block) - sum(block[148:156]) + 8 * ord(" "):
        _refuse("a broken header", at)
    if block[257:263] != _POSIX_MAGIC and block[345:500].strip(b"\0"):
        # GNU tar keeps times and maps of sparse files where others keep the folder of a long name.
        _refuse("a header of GNU tar that is more than a file's", at)
    kind = block[156:157]
    if kind == _SPARSE:
        _refuse("a sparse file", at)
    return kind, _number(block[124:136], at)


def _number(field: bytes, at: int) -> int:
    """Return what stands there in octal digits; base 256 is for more than a bundle may have."""
    digits = _OCTAL.fullmatch(field)
    if digits is None:
        _refuse("a header with a number that is none, or too large", at)
    return int(digits[1] or b"0", 8)


def _is_folders_name(block: bytes) -> bool:
    return block[:100].partition(b"\0")[0].endswith(b"/")


def _records(content: bytes, at: int) -> Mapping[bytes, bytes]:
    """Return what an extended header says: records `LENGTH key=value` with a newline, and nothing else."""
    if max(map(len, re.findall(rb"[0-9]+", content)), default=0) > _MAX_DIGITS:
        _refuse(f"more than {_MAX_DIGITS} digits in a row in an extended header", at)
    found: dict[bytes, bytes] = {}
    begin = 0
    while begin < len(content):
        length = _RECORD_LENGTH.match(content, begin)
        end = begin + int(length[1]) if length else 0
        record = content[length.end() : end] if length else b""
        key, equals, value = record[:-1].partition(b"=")
        if end > len(content) or not record.endswith(b"\n") or not key or not equals or key in found:
            _refuse("a broken extended header", at)
        if len(found) == _MAX_RECORDS:
            _refuse(f"an extended header of more than {_MAX_RECORDS} records", at)
        found[key] = value
        begin = end
    return found


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _refuse(what: str, at: int) -> NoReturn:
    raise PolicySourceError(f"the bundle is not a tar archive that is read here: {what} (byte {at})")
