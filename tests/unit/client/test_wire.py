"""Questions as they are sent: what JSON does not hold is refused, never changed on the way."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

import pytest

from sark_client import QuestionError
from sark_client.wire import BadAnswerError, head, header_name, question, request


@pytest.mark.parametrize(
    "document",
    [b'{"a": 1.50}', b" [1, 2] ", b"null", b'"\xc3\xbc"', b'{"id": 12345678901234567890123, "x": 1e3}'],
)
def test_bytes_are_sent_as_they_are(document: bytes):
    assert question(document) == b'{"input":' + document + b"}"


@pytest.mark.parametrize(
    "document",
    [
        b'{"user":{"id":"mallory"}},"input":{"user":{"id":"alice"}}',
        b'1,"input":2',
        b"1}{",
        b"",
        b" ",
        b"{",
        b'"\xff"',
        b"\xef\xbb\xbf1",
        '{"a":1}'.encode("utf-16"),
        b'{"n":NaN}',
        b"[-Infinity]",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
    ],
    ids=[
        "another input",
        "a member",
        "two",
        "none",
        "space",
        "a part",
        "no UTF-8",
        "a mark",
        "UTF-16",
        "NaN",
        "-Infinity",
        "open",
        "too deep",
    ],
)
def test_bytes_that_are_not_one_document_are_refused(document: bytes):
    with pytest.raises(QuestionError, match="one JSON document"):
        question(document)


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({1: "a", "1": "b"}, "1"),
        ({"a": [({"b": {None: 1}},)]}, "None"),
        ({"a": {True: 2}}, "True"),
        ([{"x": 1}, {1.5: 2}], "1.5"),
    ],
)
def test_a_key_that_is_no_text_is_refused(document: Any, key: str):
    with pytest.raises(QuestionError, match=f"the key {key}, which is no text"):
        question(document)


@pytest.mark.parametrize("document", [{"a": {"b": [1, {"c": None}], "d": ()}}, [], {}, "text", 1, None])
def test_an_input_arrives_as_it_is(document: Any):
    assert json.loads(question(document)) == json.loads(json.dumps({"input": document}))


def test_a_header_is_sent_as_utf_8():
    assert "\r\nX-Subject: José 李雷\tΩ\r\n".encode() in request("a", "h", b"", (("X-Subject", "José 李雷\tΩ"),))


@pytest.mark.parametrize("value", ["a\nb", "a\r", "a\0b", "\x1f", "a\x7fb", "a\ud800"])
def test_a_header_that_is_none_is_refused(value: str):
    with pytest.raises(QuestionError):
        request("a", "h", b"", (("X-Subject", value),))


def test_what_is_sent_is_what_was_looked_at_while_another_thread_changes_it():
    # given a dict that another thread changes, now and then with a key that is no text
    inner: dict[Any, Any] = {str(number): [number] for number in range(1000)}
    document, is_over = {"a": inner}, threading.Event()

    def change() -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            inner[number if number % 50 == 0 else f"k{number}"] = [{}]
            inner.pop(f"k{number - 20}", None)
            inner.pop(number - 20, None)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=change)
    thread.start()
    # when
    sent = []
    try:
        for _ in range(300):
            try:
                sent.append(question(document))
            except QuestionError:
                continue
    finally:
        is_over.set()
        thread.join()
        sys.setswitchinterval(before)
    # then it was refused, or has no key that was a number
    keys = {key for body in sent for key in json.loads(body)["input"]["a"] if not key.startswith("k")}
    assert keys <= {str(number) for number in range(1000)}


def test_an_input_that_holds_itself_is_refused():
    document: dict[str, Any] = {}
    document["a"] = [document]
    with pytest.raises(QuestionError, match="not JSON"):
        question(document)


def test_a_header_has_the_names_that_a_sidecar_takes():
    for name in ("X-Subject", "X_Subject", "x.subject", "!#$%&'*+-.^_`|~0aZ"):
        assert header_name(name) == name
    for name in ("", "X Subject", "X-Subject:", "X-Subject\r\n", "X-Sübject", "(x)"):
        with pytest.raises(ValueError, match="no name of a header"):
            header_name(name)


@pytest.mark.parametrize("lengths", [(b"5", b"41"), (b"41", b"5"), (b"41", b"41")])
def test_an_answer_that_says_twice_how_long_it_is_is_none(lengths: tuple[bytes, bytes]):
    # Given a length that another reader on the way may take otherwise, whichever comes first
    raw = b"HTTP/1.1 200 OK\r\n" + b"\r\n".join(b"Content-Length: " + length for length in lengths)
    with pytest.raises(BadAnswerError):
        head(raw, 1000)
