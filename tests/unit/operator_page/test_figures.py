"""What the page asks of Prometheus: nothing that is too large to draw is taken apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from sark_operator.core.observation import Missing
from sark_operator.page.figures import MOST_SERIES, Figures, _few
from sark_operator.page.view.curves import Curves
from sark_operator.page.view.seen import Seen
from sark_operator.page.view.span import Span
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.prometheus_access import PrometheusServers
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


class HalfDeaf:
    """A door that answers for a stretch of time and not for one moment."""

    async def over(self, *_: Any, **__: Any) -> Any:
        return []

    async def instant(self, *_: Any, **__: Any) -> Missing:
        return Missing("MetricsTimeout", "Prometheus did not answer within 5 s")

    def close(self) -> None:
        pass


def test_different_decisions_that_could_not_be_asked_for_are_not_none(seen: Callable[..., Seen]) -> None:
    def compared(body: dict[str, Any]) -> None:
        body["spec"]["steps"][0]["shadow"] = {"samplePercent": 10}

    async def drawn() -> Curves:
        figures: Any = Figures(SystemClock(), PrometheusServers())
        figures._door.close()
        figures._door = HalfDeaf()
        found: Curves = await figures.of(seen("baking", compared), Span.ATTEMPT)
        await figures.close()
        return found

    found = asyncio.run(drawn())
    assert (found.mismatches, found.problem) == ((), "Prometheus did not answer within 5 s.")
