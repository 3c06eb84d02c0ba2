"""Policies from a folder: loaded as OPA does where both its modes agree, refused where they do not."""

from __future__ import annotations

import json
import os
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from sark_sidecar import exact_json
from sark_sidecar.policies.directory import FolderLimits, folder_signature, read_policies
from sark_sidecar.policies.plain_yaml import PlainYamlError, load_plain_yaml
from sark_sidecar.policies.sources import PolicySourceError, policy_sources

LIMITS = FolderLimits(files=10, total_bytes=10_000)


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path = path.with_name(path.name.replace("_dot_", "."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_modules_and_nested_data_are_found(tmp_path: Path):
    write(
        tmp_path,
        a_dot_rego="package a",
        b__c_dot_rego="package c",
        data_dot_json='{"x": 1, "b": {"y": 12345678901234567890123, "f": 1.10}}',
        b__data_dot_yaml="z: [yes-man, '012', 1.5, null, true]",
        README_dot_md="not policy",
    )
    found = read_policies(tmp_path, LIMITS)
    assert found.modules == (("a.rego", "package a"), ("b/c.rego", "package c"))
    assert (
        exact_json.dumps(found.data)
        == b'{"b":{"f":1.10,"y":12345678901234567890123,"z":["yes-man","012",1.5,null,true]},"x":1}'
    )


def test_a_mounted_config_map_is_read_once(tmp_path: Path):
    # Given the links a mounted ConfigMap consists of
    write(tmp_path / "..2026", a_dot_rego="package a", data_dot_json="{}")
    (tmp_path / "..data").symlink_to("..2026")
    for name in ("a.rego", "data.json"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    # Then each file counts once, under its plain name
    assert read_policies(tmp_path, LIMITS).modules == (("a.rego", "package a"),)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "holds no *.rego file"),
        (
            {"a_dot_rego": "package a", "tools_dot_json": "{}"},
            "tools.json: data is read from files named data.json or data.yaml only",
        ),
        ({"a_dot_rego": "package a", "data_dot_yml": "{}"}, "data.yml: data is read from"),
        ({"a_dot_rego": "package a", "data_dot_json": "[]"}, "data.json must hold an object"),
        ({"a_dot_rego": "package a", "data_dot_json": '{"a": 1, "a": 2}'}, "data.json is not JSON: member 'a' appears twice"),
        ({"a_dot_rego": "package a", "data_dot_json": "{"}, "data.json is not JSON"),
        (
            {"a_dot_rego": "package a", "data_dot_json": '{"b": {"c": 1}}', "b__data_dot_json": '{"c": 2}'},
            "c has a value already",
        ),
        ({"a_dot_rego": "package a", "data_dot_json": '{"b": 3}', "b__data_dot_json": '{"c": 2}'}, "b has a value already"),
        ({"a_dot_rego": "x" * 20_000}, "a.rego: the folder holds more bytes"),
        ({f"m{n}_dot_rego": "package a" for n in range(11)}, "more than 10 files"),
        ({"__".join("abcdefghijklmnopqr") + "__z_dot_rego": "package a"}, "deeper than 16 folders"),
    ],
)
def test_what_cannot_be_served_alike_by_both_arms_is_refused(tmp_path: Path, files: dict[str, str], sentence: str):
    with pytest.raises(PolicySourceError) as caught:
        read_policies(write(tmp_path, **files), LIMITS)
    assert sentence in str(caught.value)


def test_bytes_that_are_no_text_and_pipes_are_refused(tmp_path: Path):
    (tmp_path / "a.rego").write_bytes(b"\xff\xfe")
    with pytest.raises(PolicySourceError, match=r"a\.rego is not UTF-8"):
        read_policies(tmp_path, LIMITS)
    (tmp_path / "a.rego").unlink()
    os.mkfifo(tmp_path / "a.rego")
    with pytest.raises(PolicySourceError, match=r"a\.rego is not a plain file"):
        read_policies(tmp_path, LIMITS)


@pytest.mark.parametrize("name", [b"\xff.rego", b"\xff.json", b"\xff/data.json", b"\xff/a.rego"])
def test_a_name_that_is_not_utf_8_is_refused_in_words_that_can_be_written(tmp_path: Path, name: bytes):
    write(tmp_path, a_dot_rego="package a")
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.parent.mkdir(exist_ok=True)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(PolicySourceError, match="name is not UTF-8") as caught:
        read_policies(tmp_path, LIMITS)
    str(caught.value).encode()


def test_a_name_that_is_not_utf_8_of_a_file_that_is_not_read_hinders_nobody(tmp_path: Path):
    write(tmp_path, a_dot_rego="package a")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.md")).write_text("not policy", encoding="utf-8")
    assert read_policies(tmp_path, LIMITS).modules == (("a.rego", "package a"),)


def test_data_from_two_files_that_nests_too_deeply_is_refused():
    def nested(levels: int, beside: str = "") -> bytes:
        return b'{"a":' * levels + b"1" + b"}" * (levels - 1) + beside.encode() + b"}"

    # Given two files of one place each that no JSON reader minds, and whose merging goes deeper than Python does
    contents = {
        "p.rego": b"package p",
        "a/" * 16 + "data.json": nested(950),
        "a/" * 15 + "data.json": nested(951, ',"b":1'),
    }
    # The reader minds after all where whoever runs the test has used up some of that depth.
    with pytest.raises(PolicySourceError, match=r"nests too deeply|recursion depth"):
        policy_sources(contents)


def test_a_missing_folder_is_refused(tmp_path: Path):
    with pytest.raises(PolicySourceError, match="No such file"):
        read_policies(tmp_path / "absent", LIMITS)


def test_the_signature_changes_with_the_content(tmp_path: Path):
    write(tmp_path, a_dot_rego="package a")
    before = folder_signature(tmp_path)
    assert folder_signature(tmp_path) == before
    fresh = tmp_path / ".new"
    fresh.write_text("package b", encoding="utf-8")
    fresh.rename(tmp_path / "a.rego")
    assert folder_signature(tmp_path) != before


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "No",
        "on",
        "012",
        "0x1F",
        "1_000",
        "12:30:45",
        "2026-01-01",
        ".5",
        "1.",
        "+1",
        ".nan",
        "True",
        "~x: 1\n<<: 2",
        "Null",
        "=",
        "1e5x: 0b1",
    ],
)
def test_a_scalar_that_readers_take_for_different_things_is_refused(text: str):
    with pytest.raises(PlainYamlError, match="YAML readers disagree about"):
        load_plain_yaml(text if ":" in text and "\n" in text else f"key: {text}" if ": " not in text else text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: &x 1\nb: *x", "aliases"),
        ("a: !!python/name:os.system x", "tags"),
        ("a: !custom 1", "tags"),
        ("1: a", "a key must be text"),
        ("a: 1\na: 2", "appears twice"),
        ("a: [", "expected the node content, but found '<stream end>', line 1, column 5"),
        ("[" * 5000, "nests too deeply|expected the node content"),
        ("a: 1\n---\nb: 2", "more than one document, line 2, column 1"),
        ('a: "\\U00110000"', "it is not YAML: ValueError"),
        ('a: "\\UFFFFFFFF"', "it is not YAML: (OverflowError|ValueError)"),
    ],
)
def test_yaml_that_means_more_than_json_is_refused(text: str, sentence: str):
    with pytest.raises(PlainYamlError, match=sentence):
        load_plain_yaml(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('keys:\n  hmac: "S3CRET"x\n', "line 2, column 17"),
        ("keys:\n  hmac: S3CRET: x\n", "line 2, column 15"),
        ('keys:\n  hmac: "S3CRET\\q"\n', "line 2, column 17"),
        ("keys:\n  hmac: !S3CRET\n", "line 2"),
        ("keys:\n  hmac: *S3CRET\n", "line 2"),
        ("keys:\n  pin: 073257\n", "line 2"),
    ],
    ids=["behind a quote", "colon", "backslash", "tag", "alias", "a scalar that readers disagree about"],
)
def test_what_is_wrong_with_a_document_is_said_without_what_it_holds(text: str, place: str):
    with pytest.raises(PolicySourceError) as caught:
        policy_sources({"a.rego": b"package a", "data.yaml": text.encode()})
    assert "data.yaml" in str(caught.value)
    assert place in str(caught.value)

    # Nor does a stack tell more
    told = "".join(traceback.format_exception_only(caught.value)) + "".join(str(each) for each in _causes(caught.value))
    assert not {"S3CRET", "073257"} & set(re.findall(r"\w+", told))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_plain_yaml_is_json_in_other_clothes():
    text = "text: plain words\nquoted: 'yes'\nnumber: -1.5\nnothing: null\nflag: true\nlist:\n- a\n- {b: c}\nversion: 1.2.3\n"
    assert json.loads(exact_json.dumps(load_plain_yaml(text))) == {
        "text": "plain words",
        "quoted": "yes",
        "number": -1.5,
        "nothing": None,
        "flag": True,
        "list": ["a", {"b": "c"}],
        "version": "1.2.3",
    }
