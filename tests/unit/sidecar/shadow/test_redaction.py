"""A report of a mismatch says where and how, and never what: no value of the input or the decision is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sark_sidecar.shadow.documents import UNDEFINED, read_document
from sark_sidecar.shadow.redaction import MAX_NODES, PlainPrinter, Redactor, parse_pointer

# Values and names of different letters, and none of a digest, so that a value in the report is no name and no part of a digest.
VALUES = st.text(alphabet="QWXYZÄ☃", min_size=3, max_size=12)
NAMES = st.text(alphabet="ghijk", min_size=1, max_size=5)
DOCUMENTS = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=20
)


def strings(document: Any) -> list[str]:
    if isinstance(document, dict):
        return [text for value in document.values() for text in strings(value)]
    if isinstance(document, list):
        return [text for value in document for text in strings(value)]
    return [document] if isinstance(document, str) else []


@given(DOCUMENTS)
def test_no_string_of_the_document_is_in_its_redaction(document: Any):
    report = json.dumps(Redactor([]).redact(document), ensure_ascii=False)
    assert not [text for text in strings(document) if text in report]


@given(st.integers(min_value=1000) | st.floats(min_value=1000, allow_infinity=False))
def test_no_number_is_in_it_either(number: float):
    report = Redactor([], key=b"k").redact(read_document(json.dumps({"card": number}).encode()))
    assert json.dumps(number) not in report["card"].partition(" ")[0]
    assert report["card"].startswith("<number ")


def test_type_and_length_stay_and_equal_values_are_told_apart_from_others():
    document = {"a": "alice", "b": ["alice", "bob"], "c": True, "d": None, "e": 1.5}
    report = Redactor([]).redact(read_document(json.dumps(document).encode()))
    assert report["a"].startswith("<string 5 ")
    assert report["b"][0] == report["a"]
    assert report["b"][1].startswith("<string 3 ")
    assert (report["c"], report["d"]) == ("<boolean>", "<null>")
    assert report["e"].startswith("<number ")


def test_another_process_hashes_otherwise_so_that_nobody_can_try_words():
    assert Redactor([]).redact("alice") != Redactor([]).redact("alice")


def test_places_on_the_list_are_shown_with_all_below_them():
    redactor = Redactor([parse_pointer("/tool/name"), parse_pointer("/tags/*/k~1v"), parse_pointer("/whole")])
    document = {"tool": {"name": "mail", "key": "s3cret"}, "tags": [{"k/v": "t", "z": "u"}], "whole": {"a": ["x"]}}
    report = redactor.redact(document)
    assert report["tool"]["name"] == "mail"
    assert report["tool"]["key"].startswith("<string 6")
    assert report["tags"][0]["k/v"] == "t"
    assert report["tags"][0]["z"].startswith("<string 1")
    assert report["whole"] == {"a": ["x"]}


def test_a_place_on_the_list_does_not_show_a_document_without_bound():
    assert Redactor([parse_pointer("/a")]).redact({"a": "x" * 300})["a"].startswith("<string 300")
    report = Redactor([parse_pointer("/a")]).redact({"a": ["x"] * 10_000})
    assert len(report["a"]) <= MAX_NODES + 1
    assert report["a"][-1].endswith(" more>")


@pytest.mark.parametrize("name", ["a@example.org", "0151 2345678", "x" * 65, "", "name of a person", "1b4e28ba-2fa1-11d2"])
def test_a_name_that_no_schema_would_have_is_redacted_too(name: str):
    redactor = Redactor([])
    assert next(iter(redactor.redact({name: "v"}))).startswith(f"<name {len(name)} ")
    assert (name or "//") not in redactor.pointer((name, "allow"), {name: {"allow": True}})
    assert redactor.pointer(("user", name), {"user": {name: 1}}).startswith("/user/<name ")


def test_digits_are_shown_as_a_place_in_a_list_and_not_as_a_name():
    redactor = Redactor([])
    lists, names = {"limits": [{"a": 1}, {"a": 2}]}, {"limits": {"4111111111111111": {"a": 1}}}
    assert redactor.pointer(("limits", "1", "a"), lists, {"limits": [{"a": 1}]}) == "/limits/1/a"
    assert redactor.pointer(("limits", "4111111111111111", "a"), names, names).startswith("/limits/<name 16 ")
    # Where one side has a list and the other has names, nobody knows
    assert redactor.pointer(("limits", "1"), lists, {"limits": {"1": 5}}).startswith("/limits/<name 1 ")
    # And nor does anybody where there is neither
    assert redactor.pointer(("limits", "1"), {}, UNDEFINED).startswith("/limits/<name 1 ")


def test_a_large_or_deep_document_makes_a_small_report():
    deep: Any = "x"
    for _ in range(150):
        deep = {"a": deep}
    assert len(json.dumps(Redactor([]).redact(deep))) < 1000
    wide = {f"n{number}": ["v"] * 100 for number in range(100)}
    assert len(json.dumps(Redactor([]).redact(wide))) < 10_000


def test_without_redaction_numbers_keep_their_digits():
    text = b'{"a": 12345678901234567890123, "b": 1.5, "c": 7, "d": 0.1234567890123456789}'
    shown = PlainPrinter().redact(read_document(text))
    assert shown == {"a": "12345678901234567890123", "b": 1.5, "c": 7, "d": "0.1234567890123456789"}
    assert PlainPrinter().redact(UNDEFINED) == "<undefined>"
