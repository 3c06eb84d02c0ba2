from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sark_client import NoDecisionError, QuestionError
from sark_sidecar.in_process.texts import ABSENT, answer_members, question_body


@pytest.mark.parametrize(
    "document",
    [
        {"user": {"id": "alice", "roles": ["a", "b"]}, "n": 1, "x": 1.5, "none": None, "yes": True},
        {"id": 12345678901234567890123456789, "none": None},
        [-(2**70), 2**63, 2**64 - 1],
        "text with null in it",
        "ümläut \u2028",
        None,
        0,
        (1, 2),
    ],
)
def test_an_input_arrives_as_it_is(document: Any):
    assert json.loads(question_body(document)) == {"input": list(document) if isinstance(document, tuple) else document}


def test_no_input_is_not_null():
    assert question_body(ABSENT) == b""
    assert question_body(None) == b'{"input":null}'
    assert question_body(b'{"a": 1.50}') == b'{"input":{"a": 1.50}}'


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"a": [1, float("nan")]}, r"input\.a\[1\] is nan"),
        ({"a": float("inf")}, r"input\.a is inf"),
        ({1: 2}, "the key 1"),
        ({"a": {True: 2}}, "the key True"),
        ({"a": Decimal("1.5")}, r"input\.a is a Decimal"),
        ({"a": datetime(2026, 1, 1, tzinfo=UTC)}, r"input\.a is a datetime"),
        ({"a": {1, 2}}, r"input\.a is a set"),
        ({"a": "\ud800"}, r"input\.a is a text that is not Unicode"),
        ({"\ud800": 1}, "not Unicode"),
        ({"a": object()}, r"input\.a is a object"),
        ({"big": 2**70, "b": b"bytes"}, r"input\.b is a bytes"),
    ],
)
def test_what_json_does_not_have_is_refused_with_its_place(document: Any, place: str):
    with pytest.raises(QuestionError, match=place):
        question_body(document)


def test_what_nests_too_deeply_is_refused():
    document: Any = 1
    for _ in range(100_000):
        document = [document]
    with pytest.raises(QuestionError, match="levels deep"):
        question_body(document)
    while isinstance(document, list):
        document = document[0]


@pytest.mark.parametrize("number", [2**53 + 1, 2**64, -(2**64) - 1, 10**40])
def test_integers_of_an_answer_are_exact(number: int):
    assert answer_members(b'{"result":%d}\n' % number) == {"result": number}


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b'{"result":1', b'{"a":' + b"[" * 100_000])
def test_an_answer_that_is_not_json_is_no_decision(body: bytes):
    with pytest.raises(NoDecisionError):
        answer_members(body)


@pytest.mark.parametrize(
    "document", [b'{"blocked":true},"input":{}', b'{"blocked":true},"Input":null', b"{}} junk", b"{} {}", b"", b"{"]
)
def test_bytes_that_are_no_single_document_are_refused(document: bytes):
    with pytest.raises(QuestionError, match="the input is not one JSON document"):
        question_body(document)
