"""What the page asks of Prometheus: nothing that is too large to draw is taken apart."""

from __future__ import annotations

import json

from sark_operator.core.observation import Missing
from sark_operator.page.figures import MOST_SERIES, _few
from sark_operator.shell.series import Series


def answer(series: int, values: str) -> Series:
    result = ",".join(f'{{"metric":{{"pod":"gw-{number}"}},"values":{values}}}' for number in range(series))
    return Series.of(f'{{"status":"success","data":{{"resultType":"matrix","result":[{result}]}}}}'.encode())


def test_an_answer_that_is_drawn_is_taken_as_it_is() -> None:
    points = [[1.0, "2"], [3.0, "4"]]

    found = _few(answer(MOST_SERIES, json.dumps(points)))

    assert [each["values"] for each in found] == [points] * MOST_SERIES


def test_one_with_more_series_is_not_read_and_says_why() -> None:
    # Given series of which none can be read
    found = _few(answer(MOST_SERIES + 1, "[1e9999]"))

    assert isinstance(found, Missing)
    assert found.message == f"Prometheus gave {MOST_SERIES + 1} series, and at most {MOST_SERIES} are drawn"
