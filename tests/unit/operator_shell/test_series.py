"""An answer of Prometheus is read one series at a time, and is the same as one that is read whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sark_operator.shell.series import Series, SeriesError

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
