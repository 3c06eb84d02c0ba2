"""Decisions are the same exactly when their canonical JSON is, and a difference is named by place and gravity."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sark_sidecar.exact_json import JsonError
from sark_sidecar.shadow.comparison import MAX_DIFFERENCES, Kind, compare, meaning, pointer_text
from sark_sidecar.shadow.documents import UNDEFINED, canonical, decision_in, read_document

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4), max_leaves=12
)


def read(document: object) -> Any:
    return read_document(json.dumps(document).encode())


def same(one: object, other: object) -> bool:
    """The specification: JSON equality, written without the code under test."""
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return Fraction(repr(one)) == Fraction(repr(other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return isinstance(one, str) and one == other


@given(DOCUMENTS, DOCUMENTS)
def test_two_decisions_are_the_same_iff_they_are_equal_json(one: object, other: object):
    assert (compare(read(one), read(other)) is None) == same(one, other)
    assert (canonical(read(one)) == canonical(read(other))) == same(one, other)


@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_the_order_of_members_and_the_spelling_do_not_count(document: object, random: Any):
    def shuffled(value: object) -> object:
        if isinstance(value, dict):
            keys = list(value)
            random.shuffle(keys)
            return {key: shuffled(value[key]) for key in keys}
        return [shuffled(item) for item in value] if isinstance(value, list) else value

    spelled = json.dumps(shuffled(document), indent=random.choice([None, 1]), ensure_ascii=random.choice([True, False]))
    assert compare(read(document), read_document(spelled.encode("utf-8", "surrogatepass"))) is None


@given(DOCUMENTS, DOCUMENTS)
def test_a_difference_names_a_place_where_they_do_differ(one: object, other: object):
    first, second = read(one), read(other)
    difference = compare(first, second)
    if difference is None:
        return
    assert difference.pointers
    for pointer in difference.pointers:
        assert canonical(_at(first, pointer)) != canonical(_at(second, pointer))


def _at(document: Any, pointer: tuple[str, ...]) -> Any:
    for token in pointer:
        if isinstance(document, dict):
            document = document.get(token, UNDEFINED)
        elif isinstance(document, list) and int(token) < len(document):
            document = document[int(token)]
        else:
            return UNDEFINED
    return document


@pytest.mark.parametrize(
    "spellings",
    [
        ["1", "1.0", "1e0", "10e-1", "0.1E1"],
        ["0", "-0", "0.000", "0e99"],
        ["12345678901234567890123", "1.2345678901234567890123e22"],
        ["-2.50", "-25e-1"],
    ],
)
def test_numbers_are_equal_by_worth(spellings: list[str]):
    assert len({canonical(read_document(text.encode())) for text in spellings}) == 1


def test_numbers_that_a_double_holds_apart_are_different():
    assert compare(read_document(b"12345678901234567890123"), read_document(b"12345678901234567890124")) is not None
    assert compare(read_document(b"true"), read_document(b"1")) is not None


@pytest.mark.parametrize(
    ("one", "other", "kind", "places"),
    [
        (UNDEFINED, {"allow": False}, Kind.UNDEFINED, [""]),
        (True, False, Kind.ALLOW, [""]),
        ({"allow": True, "reason": "a"}, {"allow": False, "reason": "b"}, Kind.ALLOW, ["/allow", "/reason"]),
        ({"allow": 1}, {"allow": False}, Kind.ALLOW, ["/allow"]),
        (
            {"allow": True, "filtered_parameters": {"a/b": 1}, "reason": "a"},
            {"allow": True, "filtered_parameters": {}, "reason": "b"},
            Kind.FILTERED_PARAMETERS,
            ["/filtered_parameters/a~1b", "/reason"],
        ),
        ({"allow": True, "reason": "a"}, {"allow": True}, Kind.REASON, ["/reason"]),
        ({"allow": True, "audit": [1, 2]}, {"allow": True, "audit": [1]}, Kind.OTHER, ["/audit/1"]),
        ("a", "b", Kind.OTHER, [""]),
    ],
)
def test_a_mismatch_has_the_kind_of_its_gravest_difference(one: object, other: object, kind: Kind, places: list[str]):
    for first, second in ((one, other), (other, one)):
        difference = compare(*(side if side is UNDEFINED else read(side) for side in (first, second)))
        assert difference is not None
        assert (difference.kind, [pointer_text(pointer) for pointer in difference.pointers]) == (kind, places)


def test_places_are_bounded_and_the_report_says_so():
    many = compare(read(list(range(100))), read(list(range(1, 101))))
    few = compare(read([1]), read([2]))
    assert many is not None
    assert few is not None
    assert (len(many.pointers), many.is_complete) == (MAX_DIFFERENCES, False)
    assert few.is_complete


def test_undefined_equals_undefined_alone():
    assert compare(UNDEFINED, UNDEFINED) is None
    assert compare(UNDEFINED, read(None)) is not None
    assert decision_in(b"{}\n") is UNDEFINED
    assert decision_in(b'{"result":null}') is None
    assert meaning(decision_in(b'{"result":{"allow":true}}')) == "allow"


@pytest.mark.parametrize(
    "text", [b"", b"{", b"NaN", b"[" * 300 + b"]" * 300, b"[" * 100_000, b"1e99999999999999999999", b"\xff"]
)
def test_what_cannot_be_read_is_refused(text: bytes):
    with pytest.raises(JsonError):
        read_document(text)
    with pytest.raises(JsonError):
        decision_in(b"[" + text)


@pytest.mark.parametrize(("one", "other"), [("1", "-1"), ("0.5", "-0.5"), ("1", "10"), ("1e3", "1e-3"), ("12", "1.2")])
def test_numbers_of_another_sign_or_size_are_others(one: str, other: str):
    assert compare(read_document(one.encode()), read_document(other.encode())) is not None
    assert compare(read_document(b"-0"), read_document(b"0.0")) is None
