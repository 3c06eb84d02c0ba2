"""Recordings are read as a stream, in each form that OPA writes, and nothing in them is guessed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sark_sidecar.replay import recording
from sark_sidecar.replay.recording import Recorded, RecordingError, Unusable, read_recording

EVENT = {"decision_id": "d", "path": "authz/allow", "input": {"user": "a"}, "result": True, "labels": {}}


def written(tmp_path: Path, raw: bytes) -> str:
    file = tmp_path / "recording"
    file.write_bytes(raw)
    return str(file)


def read(tmp_path: Path, raw: bytes) -> list[Any]:
    return list(read_recording(written(tmp_path, raw)))


def lines(*events: object) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


FORMS = {
    "lines": lambda events: lines(*events),
    "lines without the last end": lambda events: lines(*events)[:-1],
    "array": lambda events: json.dumps(events).encode(),
    "indented array": lambda events: json.dumps(events, indent=2).encode(),
    "uploaded": lambda events: gzip.compress(json.dumps(events).encode()),
    "compressed lines": lambda events: gzip.compress(lines(*events)),
    "uploaded in two parts": lambda events: gzip.compress(lines(*events[:1])) + gzip.compress(lines(*events[1:])),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_records(tmp_path: Path, form: str):
    events = [EVENT, {**EVENT, "path": "b", "input": [1, "]}{", "ü"]}, {"path": "/v1/data/c/d"}]
    found = read(tmp_path, FORMS[form](events))
    assert [(one.path, one.input, one.result) for one in found] == [
        ("authz/allow", b'{"user":"a"}', b"true"),
        ("b", '[1,"]}{","ü"]'.encode(), b"true"),
        ("c/d", None, None),
    ]
    assert [one.is_result_known for one in found] == [True, True, False]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=40) | st.integers(), max_size=3), min_size=1, max_size=6))
def test_an_array_is_taken_apart_where_its_members_end(tmp_path_factory: Any, inputs: list[Any]):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "_CHUNK", 7)
        events = [{"path": "p", "input": given} for given in inputs]
        found = read(tmp_path_factory.mktemp("array"), json.dumps(events, ensure_ascii=False).encode())
    assert [json.loads(one.input) for one in found] == inputs


def test_the_place_of_a_record_is_told(tmp_path: Path):
    assert [one.place.rpartition(", ")[2] for one in read(tmp_path, lines(EVENT, EVENT))] == ["line 1", "line 2"]
    assert read(tmp_path, json.dumps([EVENT]).encode())[0].place.endswith("member 1")


def test_numbers_keep_every_digit(tmp_path: Path):
    (found,) = read(tmp_path, b'{"path":"p","input":{"id":12345678901234567890123,"x":1.50}}\n')
    assert found.input == b'{"id":12345678901234567890123,"x":1.50}'


def test_an_input_that_is_null_is_none_as_for_opas_server(tmp_path: Path):
    assert [one.input for one in read(tmp_path, lines({"path": "p"}, {"path": "p", "input": None}))] == [None, None]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (b"not json", "unreadable"),
        (b"[1", "unreadable"),
        (b'"text"', "not_a_decision"),
        (b'{"msg":"Server initialized."}', "not_a_decision"),
        (b'{"query":"data.a = x","decision_id":"d"}', "query"),
        (b'{"path":"p","input":{},"erased":["/input/password"]}', "masked"),
        (b'{"path":"p","input":{},"masked":["/input"]}', "masked"),
    ],
)
def test_what_cannot_be_put_to_the_arms_is_counted_and_not_guessed(tmp_path: Path, event: bytes, reason: str):
    found = read(tmp_path, lines(EVENT) + event + b"\n" + lines(EVENT))
    assert [one.reason if isinstance(one, Unusable) else one.path for one in found] == ["authz/allow", reason, "authz/allow"]


@pytest.mark.parametrize("event", [{**EVENT, "masked": ["/result/reason"]}, {**EVENT, "error": {"code": "x"}}])
def test_a_recorded_decision_that_was_hidden_or_failed_is_not_known(tmp_path: Path, event: object):
    (found,) = read(tmp_path, lines(event))
    assert isinstance(found, Recorded)
    assert not found.is_result_known


def test_a_decision_log_without_a_result_says_that_there_was_none(tmp_path: Path):
    (found,) = read(tmp_path, lines({"decision_id": "d", "path": "p", "input": {}}))
    assert (found.result, found.is_result_known) == (None, True)


def test_a_record_that_is_too_long_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recording, "MAX_EVENT_BYTES", 200)
    long = {**EVENT, "input": "x" * 500_000}
    found = read(tmp_path, lines(EVENT, long, EVENT))
    assert [type(one) for one in found] == [Recorded, Unusable, Recorded]
    assert found[1].reason == "too_large"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'[{"path":"p"}, {"path":', "ends within member 2"),
        (b"[tru]", "member 1"),
        (gzip.compress(lines(EVENT) * 100)[:-20], "end-of-stream"),
    ],
)
def test_a_damaged_recording_is_an_error_and_not_its_end(tmp_path: Path, raw: bytes, said: str):
    with pytest.raises(RecordingError, match=said):
        read(tmp_path, raw)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(RecordingError, match="nowhere"):
        list(read_recording(str(tmp_path / "nowhere")))


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"[]", gzip.compress(b"", mtime=0)])
def test_an_empty_recording_has_no_records(tmp_path: Path, raw: bytes):
    assert read(tmp_path, raw) == []
