"""The archive of a bundle: what is unpacked, and what is refused before it could decide anything."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sark_sidecar.policies.bundle import archive as archive_module
from sark_sidecar.policies.bundle.archive import ArchiveLimits, unpack
from sark_sidecar.policies.bundle.layout import Place, places
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


def block(kind: bytes, size: bytes, *, name: bytes = b"a.rego") -> bytes:
    """A header of the POSIX form that says this size, whether it is a number or not."""
    header = bytearray(tarfile.TarInfo().tobuf(tarfile.USTAR_FORMAT))
    header[:100] = name.ljust(100, b"\0")
    header[124:136], header[156:157] = size.ljust(12, b"\0"), kind
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def whole(kind: bytes, content: bytes, *, name: bytes = b"a.rego") -> bytes:
    return block(kind, b"%011o" % len(content), name=name) + content + bytes(-len(content) % 512)


def record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    while len(b"%d" % length) + len(key) + len(value) + 3 != length:
        length += 1
    return b"%d %s=%s\n" % (length, key, value)


FILE = whole(b"0", b"package a")
END = bytes(1024)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(whole(b"x", b"1" * 100_000), id="100,000 digits"),
        pytest.param(whole(b"g", b"1" * 100_000), id="100,000 digits for all"),
        pytest.param(whole(b"X", b"1" * 100_000), id="100,000 digits of Solaris"),
        pytest.param(whole(b"x", b"1" * 1000), id="digits that are no record"),
        pytest.param(whole(b"x", record(b"comment", b"1" * 1000)), id="digits in a record"),
        pytest.param(whole(b"x", b"1 " * 4000), id="lengths without records"),
        pytest.param(whole(b"x", record(b"a", b"b")[:-1]), id="a record without its end"),
        pytest.param(whole(b"x", b"9 comment\n"), id="a record without a value"),
        pytest.param(whole(b"x", b"05 a=\n"), id="a length with a zero before it"),
        pytest.param(whole(b"x", b"99 a=\n"), id="a record that is longer than the header"),
        pytest.param(whole(b"x", record(b"mtime", b"1") * 2), id="a record twice"),
        pytest.param(whole(b"x", b"".join(record(b"k%d" % n, b"v") for n in range(33))), id="many records"),
        pytest.param(whole(b"x", record(b"size", b"-1")), id="a negative size"),
        pytest.param(whole(b"x", record(b"size", b"1_0")), id="a size that only Python reads"),
        pytest.param(whole(b"g", record(b"size", b"9")), id="a size for all"),
        pytest.param(whole(b"g", record(b"path", b"b.rego")), id="a path for all"),
        pytest.param(whole(b"x", record(b"GNU.sparse.map", b"1,1")), id="a sparse file in a record"),
        pytest.param(block(b"x", b"%011o" % 3) + b"".ljust(3, b"\0") + b"5 a=\n".ljust(509, b"\0"), id="more than it says"),
        pytest.param(whole(b"L", b"n" * 9000), id="a very long name"),
        pytest.param(whole(b"K", b"n" * 9000), id="a very long link"),
        pytest.param(whole(b"x", b"") * 2, id="two extended headers for one member"),
        pytest.param(whole(b"L", b"n") * 2, id="two long names for one member"),
        pytest.param(whole(b"x", b"") + whole(b"L", b"n"), id="a path in two forms"),
        pytest.param(whole(b"x", b"") + whole(b"g", b""), id="an extended header for all behind one for a member"),
        pytest.param(whole(b"g", b"") + FILE + whole(b"g", b""), id="two extended headers for all"),
        pytest.param(FILE + whole(b"x", b"") + END, id="an extended header for nothing"),
        pytest.param(block(b"x", b"%011o" % 512), id="an extended header that is cut off"),
        pytest.param(block(b"0", b"\x80" + bytes(10) + b"\x09"), id="a size in base 256"),
        pytest.param(block(b"0", b"\xff" * 12), id="a negative size in base 256"),
        pytest.param(block(b"0", b"-1"), id="a negative size in octal"),
        pytest.param(block(b"0", b"0o11"), id="an octal number that only Python reads"),
        pytest.param(whole(b"\0", b"package a", name=b"folder/"), id="an old folder with content"),
        pytest.param(whole(b"L", b"n") + whole(b"\0", b"", name=b"folder/"), id="an old folder with a long name"),
        pytest.param(whole(b"S", b"package a"), id="a sparse file of GNU tar"),
        pytest.param(b"x" * 512, id="no header at all"),
        pytest.param(FILE + b"x" * 100, id="a part of a header"),
    ],
)
def test_headers_that_are_costly_or_read_in_several_ways_never_come_to_tarfile(headers: bytes, monkeypatch: pytest.MonkeyPatch):
    # Given a Python whose tarfile takes minutes for some headers and holds the interpreter meanwhile
    def never(**_: object) -> None:
        pytest.fail("tarfile was given the archive")

    monkeypatch.setattr(archive_module.tarfile, "open", never)
    # When a bundle has such a header, then it is refused with a sentence, and tarfile does not read it
    with pytest.raises(PolicySourceError, match="is not a tar archive that is read here"):
        unpack(gzip.compress(headers + FILE + END), ArchiveLimits(files=1000, total_bytes=1_000_000))


def test_a_member_at_which_tarfile_ends_is_not_silently_missing():
    # Given a header that is whole but for its mode, which only tarfile reads
    odd = bytearray(whole(b"0", b"package b", name=b"deny.rego"))
    odd[100:108] = b"rw-r--r-"
    odd[148:156] = b" " * 8
    odd[148:156] = b"%06o\0 " % sum(odd[:512])
    with pytest.raises(PolicySourceError, match="in two ways"):
        unpack(gzip.compress(FILE + bytes(odd) + END), LIMITS)


def test_extended_headers_of_all_members_together_have_a_limit():
    # Given members each of whose headers is within the limits
    extended = whole(b"x", b"".join(record(b"k%d" % n, b"v" * 300) for n in range(20)))
    archive = b"".join(extended + whole(b"0", b"package a", name=b"%d.rego" % n) for n in range(3))
    # Then one is read, and more than its share of three is not
    assert len(places(extended + FILE, max_members=15)) == 1
    with pytest.raises(PolicySourceError, match="too long"):
        places(archive, max_members=15)


FORMATS = st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
STEPS = st.text("ab.7 ü日", min_size=1, max_size=4).filter(lambda step: step not in {".", ".."})
PATHS = st.builds(
    lambda steps, more: "/".join(steps) + "n" * more, st.lists(STEPS, min_size=1, max_size=4), st.sampled_from([0, 90, 300])
)


@given(
    FORMATS,
    st.dictionaries(PATHS, st.sampled_from([0, 1, 512, 600]).map(bytes), max_size=3),
    st.lists(PATHS, max_size=2),
    st.floats(0, 2**31, allow_nan=False),
)
def test_what_pythons_own_tarfile_writes_is_read_in_each_of_its_formats(
    form: int, files: dict[str, bytes], folders: list[str], modified: float
):
    # Given an archive with times in fractions, and with names of which the oldest form can hold only some
    stream = io.BytesIO()
    written = {}
    with tarfile.open(fileobj=stream, mode="w", format=form, encoding="utf-8") as tar:
        for name, content in [*files.items(), *((folder, None) for folder in folders)]:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content or b""), modified
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            try:
                tar.addfile(info, io.BytesIO(content or b""))
            except ValueError:
                continue
            if content is not None:
                written[name] = content
    # Then what comes out is what was put in
    assert unpack(gzip.compress(stream.getvalue()), ArchiveLimits(files=1000, total_bytes=1_000_000)) == written


RECORDS = st.tuples(
    st.sampled_from([b"path", b"size", b"mtime", b"hdrcharset", b"GNU.sparse.map", b"comment", b"k"]),
    st.sampled_from([b"", b"0", b"9", b"600", b"-1", b"1_0", b"b.rego", b"BINARY", b"1 hdrcharset=x\n", b"6 a=1\n", b"\xff"]),
).map(lambda pair: record(*pair))
CONTENTS = (
    st.lists(RECORDS, max_size=3).map(b"".join)
    | st.binary(max_size=30)
    | st.sampled_from([b"", b"n" * 511, b"n" * 512, b"n" * 600 + b"\0", FILE, END])
)
SIZES = st.sampled_from(
    [b"", b"0", b"11", b" 11 ", b"1000", b"1001", b"-1", b"+1", b"1_1", b"0o1", b"1\x001", b"\x80" + bytes(11)]
)
MEMBERS = st.builds(
    lambda kind, content, name, size: (
        whole(kind, content, name=name) if size is None else block(kind, size, name=name) + content
    ),
    st.sampled_from([bytes([kind]) for kind in b"\x0001234567xgXLKSMDVNZ"]),
    CONTENTS,
    st.sampled_from([b"a", b"b/", b"", b"././@LongLink"]),
    st.none() | SIZES,
)


@given(st.lists(MEMBERS | st.sampled_from([FILE, whole(b"x", record(b"size", b"9"))]), min_size=1, max_size=5), st.booleans())
def test_tarfile_reads_nothing_but_what_was_found_before(members: list[bytes], ended: bool):
    # Given any archive that is let through to tarfile
    archive = b"".join(members) + END * ended
    try:
        expected = places(archive, max_members=100)
    except PolicySourceError:
        return
    # When tarfile reads it, to its end or to where it gives up
    read = []
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:", encoding="utf-8", errors="strict") as tar:
            read.extend(Place(member.offset_data, member.size) for member in iter(tar.next, None))
    except (tarfile.TarError, ValueError):
        return
    # Then it has found the same members, each in its place
    assert tuple(read) == expected
