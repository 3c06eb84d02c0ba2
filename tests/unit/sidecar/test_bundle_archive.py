"""The archive of a bundle: what is unpacked, and what is refused before it could decide anything."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable

import pytest

from sark_sidecar.policies.bundle.archive import ArchiveLimits, unpack
from sark_sidecar.policies.sources import PolicySourceError

LIMITS = ArchiveLimits(files=3, total_bytes=100_000)


def member(
    name: str, content: bytes = b"package a", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = len(content) if kind == tarfile.REGTYPE else 0
    return info, content


def tarball(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    return gzip.compress(tarball(*members), mtime=0)


def test_files_come_out_by_name_without_the_leading_slash():
    raw = packed(member("/a/b.rego"), member("folder", kind=tarfile.DIRTYPE), member("./data.json", b"{}"))
    assert unpack(raw, LIMITS) == {"a/b.rego": b"package a", "./data.json": b"{}"}


def test_long_names_and_names_in_any_script_are_read():
    name = "ünïcode/" + "n" * 200 + ".rego"
    assert list(unpack(packed(member(name)), LIMITS)) == [name]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "is not a whole gzip file"),
        (b"not gzip", "is not a whole gzip file"),
        (packed(member("a.rego"))[:-9], "is not a whole gzip file"),
        (packed(member("a.rego"))[:-8] + bytes(8), "is not a whole gzip file"),
        (packed(member("a.rego")) + b"rubbish", "is not a whole gzip file"),
        (gzip.compress(b"x" * 1024, mtime=0), "is not a tar archive"),
        (gzip.compress(bytes(200_000), mtime=0), "more than 100000 bytes when inflated"),
        (packed(*(member(f"{n}.rego") for n in range(4))), "more than 3 files"),
        (packed(*(member(f"d{n}", kind=tarfile.DIRTYPE) for n in range(16))), "more than 15 members"),
        (packed(member("a.rego"), member("/a.rego", b"package b")), "holds a.rego twice"),
        (packed(member("../a.rego")), "could lead out of it"),
        (packed(member("a/../../b.rego")), "could lead out of it"),
        (packed(member("//etc/a.rego")), "could lead out of it"),
        (packed(member("a//b.rego")), "could lead out of it"),
        (packed(member("a.rego", kind=tarfile.SYMTYPE, link="/etc/passwd")), "neither a plain file nor a folder"),
        (packed(member("a.rego", kind=tarfile.LNKTYPE, link="b.rego")), "neither a plain file nor a folder"),
        (packed(member("a.rego", kind=tarfile.CHRTYPE)), "neither a plain file nor a folder"),
        (packed(member("a.rego", kind=tarfile.FIFOTYPE)), "neither a plain file nor a folder"),
        (packed(member("/".join("abcdefghijklmnopqr") + "/z.rego")), "deeper than 16 folders"),
        (packed(member("n" * 2000)), "more than 1024 characters"),
    ],
    ids=lambda value: value if isinstance(value, str) else "raw",
)
def test_what_is_not_read_as_its_author_meant_it_is_refused(raw: bytes, sentence: str):
    with pytest.raises(PolicySourceError) as caught:
        unpack(raw, LIMITS)
    assert sentence in str(caught.value)


def _broken_second_header(tar: bytearray) -> None:
    tar[1024 + 148] ^= 0xFF  # its checksum


def _cut_in_the_last_file(tar: bytearray) -> None:
    del tar[1024 + 512 + 3 :]


def _zeros_in_the_middle(tar: bytearray) -> None:
    tar[1024:1024] = bytes(1024)


@pytest.mark.parametrize("damage", [_broken_second_header, _cut_in_the_last_file, _zeros_in_the_middle])
def test_an_archive_that_is_damaged_behind_its_first_file_is_refused_whole(damage: Callable[[bytearray], None]):
    # Given an archive whose second file is the one that denies
    tar = bytearray(tarball(member("allow.rego"), member("deny.rego")))
    damage(tar)
    # Then what is left of it is not served
    with pytest.raises(PolicySourceError):
        unpack(gzip.compress(bytes(tar)), LIMITS)


def test_a_sparse_file_cannot_grow_behind_the_limit():
    # Given a header that says: a terabyte of holes
    info, content = member("a.rego", b"1\n0\n0\n".ljust(512, b"\0"))
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(2**40)}
    with pytest.raises(PolicySourceError):
        unpack(packed((info, content)), LIMITS)


def _header(kind: bytes, *, extended: bool = False) -> bytes:
    """A header of GNU tar with nothing behind it."""
    header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = kind
    header[482] = int(extended)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(_header(tarfile.GNUTYPE_SPARSE, extended=True), id="a sparse file whose map is cut off"),
        pytest.param(_header(tarfile.GNUTYPE_LONGNAME) * 2000 + bytes(1024), id="a chain of long names"),
        pytest.param(_header(tarfile.XHDTYPE) * 2000 + bytes(1024), id="a chain of extended headers"),
    ],
)
def test_odd_headers_are_refused_and_end_nothing(archive: bytes):
    with pytest.raises(PolicySourceError, match="is not a tar archive"):
        unpack(gzip.compress(archive), ArchiveLimits(files=3, total_bytes=10_000_000))
