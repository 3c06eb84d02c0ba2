"""An answer of Prometheus is read one series at a time, and is the same as one that is read whole."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sark_operator.shell import series as module
from sark_operator.shell.series import Series, SeriesError, TooMuchError, said

LABELS = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)
SAMPLES = st.tuples(st.floats(0, 2e9), st.sampled_from(["1", "0.25", "NaN", "+Inf", "1e-9"])).map(list)
SERIES = st.fixed_dictionaries({"metric": LABELS, "values": st.lists(SAMPLES, max_size=3)})


def body(result: object) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()


@given(st.lists(SERIES, max_size=5))
def test_it_is_what_reading_it_whole_gives(result: list[dict[str, Any]]) -> None:
    series = Series.of(body(result))

    assert list(series) == result
    assert list(series) == result, "a second time, too"
    assert len(series) == len(result)
    assert [series[index] for index in range(len(result))] == result
    assert list(series[1:]) == result[1:]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "no JSON",
        "{}",
        '{"data": {}}',
        '{"data": {"result": {}}}',
        '{"data": {"result": 3}}',
        '{"data": {"result": [',
        '{"data": ' + "[" * 100_000,
    ],
)
def test_another_document_is_refused(text: str) -> None:
    with pytest.raises(SeriesError):
        Series.of(text.encode())


@pytest.mark.parametrize("part", ['"\\ud800"', "[" * 100_000 + "]" * 100_000])
def test_a_series_that_cannot_be_read_says_so_when_it_is_asked_for(part: str) -> None:
    try:
        series = Series.of(f'{{"data": {{"result": [1, {part}]}}}}'.encode())
    except SeriesError:
        return  # it was found at once, which is as good

    assert series[0] == 1
    with pytest.raises(SeriesError):
        list(series)


def packed(*, element: str, number: int) -> bytes:
    return f'{{"status":"success","data":{{"result":[{",".join([element] * number)}]}}}}'.encode()


def peak(body: bytes) -> int:
    """Return the most bytes that were taken while it was refused."""
    tracemalloc.start()
    try:
        with pytest.raises(SeriesError):
            Series.of(body)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("element", ["0", "[]", "{}", '{"metric":{}}', '"ab"', '[1,"1"]'])
def test_an_answer_of_tiny_parts_is_refused_before_they_are_made(element: str) -> None:
    # Given an answer that is small on the way and has a million and more parts, then they take no memory
    assert peak(packed(element=element, number=1_600_000)) < 1_000_000


def test_as_many_series_are_read_as_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SERIES", 100)
    assert len(Series.of(packed(element='{"metric":{},"value":[1,"1"]}', number=100))) == 100
    with pytest.raises(TooMuchError):
        Series.of(packed(element='{"metric":{},"value":[1,"1"]}', number=101))
    assert list(Series.of(packed(element='[1,"1"]', number=20))) == [[1, "1"]] * 20, "few of any kind are read"


def test_of_what_is_said_beside_the_series_only_so_much_is_read() -> None:
    assert said(b'{"status": "error", "error": "no such metric", "data": [1, 2]}') == ("error", "no such metric")
    assert said(b"no JSON") == (None, None)
    assert said(b'{"error": "\\ud800"}') == (None, None)
    assert said(f'{{"error": {[0] * 100_000}}}'.encode()) == (None, "['more than can be quoted']")
    warned = f'{{"data": {{"result": []}}, "warnings": {[0] * 100_000}}}'.encode()
    assert Series.of(warned).warnings == ["more than can be quoted"]
