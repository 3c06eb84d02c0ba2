"""What the page asks of Prometheus: nothing that is too large to draw is taken apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from sark_operator.core.observation import Missing
from sark_operator.page.figures import AT_ONCE, MOST_SERIES, Figures, _few
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


class Busy:
    """A door that knows how many questions were under way at once."""

    def __init__(self) -> None:
        self.under_way = self.most = self.asked = 0

    async def over(self, *_: Any, **__: Any) -> Any:
        self.asked += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.001)
        self.under_way -= 1
        return []

    async def instant(self, *_: Any, **__: Any) -> Any:
        return await self.over()

    def close(self) -> None:
        pass


def test_all_who_look_at_whatever_they_look_have_so_many_questions_under_way_together(seen: Callable[..., Seen]) -> None:
    # Given viewers of many rollouts, and of each over every stretch of time
    rollouts = [seen("baking", lambda body, uid=f"u{number}": body["metadata"].update(uid=uid)) for number in range(8)]
    door = Busy()

    async def drawn() -> None:
        figures: Any = Figures(SystemClock(), PrometheusServers())
        figures._door.close()
        figures._door = door
        # When they all look at once
        await asyncio.gather(*(figures.of(each, span) for each in rollouts for span in Span))
        await figures.close()

    asyncio.run(drawn())
    # Then Prometheus is asked as few questions at once as for one of them
    assert door.asked > len(rollouts) * AT_ONCE
    assert door.most == AT_ONCE


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
