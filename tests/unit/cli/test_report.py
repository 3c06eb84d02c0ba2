"""One rollout on one page: what is told, and that nothing in it can be markup."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from sark_api.evidence import GENESIS, EvidenceRecord
from sark_cli.rollout import Rollout
from sark_cli.told.markdown import markdown, sparkline
from sark_cli.told.page import page
from sark_cli.told.questions import charts, questions, step
from sark_cli.told.story import Chart, Line, Story, share_of
from sark_operator.core.observation import Missing
from sark_operator.shell.prometheus import Server

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOSTILE = '<script>alert(1)</script> | `x` "quoted"'
SERVER = Server("http://127.0.0.1:9090", 5)


def record(number: int, before: int, after: int, reason: str, message: str = "proven") -> EvidenceRecord:
    return EvidenceRecord.model_validate(
        {
            "number": number,
            "previous": GENESIS,
            "rollout": "shop/gateway",
            "uid": "u",
            "generation": 1,
            "attempt": 1,
            "time": START + timedelta(minutes=10 * number),
            "actor": "operator",
            "reason": reason,
            "fromPercent": before,
            "toPercent": after,
            "revision": number,
            "message": message,
            "specSha256": "",
            "windowSeconds": 300,
            "countingWindowSeconds": 60,
            "criteria": [
                {
                    "name": "errorRate",
                    "verdict": "Pass",
                    "action": "Revert",
                    "value": "0.1%",
                    "limit": "1.0%",
                    "samples": 1200,
                    "message": "errorRate 0.1% <= 1.0%",
                }
            ],
        }
    )


def story(message: str = "proven") -> Story:
    body = yaml.safe_load((Path(__file__).parent / "rollouts" / "reverted.yaml").read_text(encoding="utf-8"))
    records = (record(1, 0, 5, "Started"), record(2, 5, 25, "Advanced", message), record(3, 25, 0, "CriterionBreached"))
    end = START + timedelta(minutes=40)
    seen = Chart("Requests", "1/s", (Line("rust", ((START, 0.0), (end, 50.0))), Line("python", ((START, 90.0), (end, 40.0)))))
    gone = Chart("Memory of a sidecar", "MB", missing=f"Prometheus {message} is away")
    return Story(Rollout.from_object(body), records, end, (share_of(records, end), seen, gone))


def test_markdown_tells_each_decision_with_its_numbers():
    text = markdown(story())
    assert "| 2 | 2026-01-01 12:20:00Z | 5% -> 25% | Advanced | operator | 10m |" in text
    assert "## Decision 3: CriterionBreached, 25% -> 0%" in text
    assert "| errorRate | Pass | 0.1% | 1.0% | 1,200 | - | Revert |" in text
    assert "| rust | 0/s | 50/s | 50/s | 50/s | ▁█ |" in text
    assert "Not shown: Prometheus proven is away." in text


def test_the_whole_of_it(golden: Callable[[str, str], None]):
    golden("report.md", markdown(story()))


def test_the_page_has_a_chart_for_each_question_and_says_what_is_missing():
    text = page(story())
    assert text.count("<svg") == 2
    assert text.count('class="mark"') == 6, "each decision is marked in each chart that reaches over it"
    assert "Not shown: Prometheus proven is away." in text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", ""), "nothing is loaded from elsewhere"


def test_nothing_that_is_told_can_be_markup():
    told = story(HOSTILE)
    assert "<script" not in page(told)
    text = markdown(told)
    assert "<script" not in text.replace("\\<", "")
    assert all(line.count(" | ") <= 6 for line in text.splitlines() if "alert" in line)


def test_a_broken_chain_is_said_at_the_top():
    doubtful = Story(story().rollout, story().records, story().told_at, doubts=("the chain of records is broken at 2",))
    assert "**Careful**: the chain of records is broken at 2" in markdown(doubtful).split("## What happened")[0]
    assert "Careful: the chain of records is broken at 2" in page(doubtful).split("<h2>")[0]


def test_a_rollout_of_which_nothing_is_recorded_has_a_page_too():
    empty = Story(story().rollout, (), START, (share_of((), START),))
    assert "Nothing has been decided yet." in markdown(empty)
    assert "Nothing has been decided yet." in page(empty)


def test_the_share_holds_until_the_next_decision():
    (line,) = share_of(story().records, START + timedelta(minutes=40)).lines
    assert line.values == [0, 5, 25, 0, 0]


def test_a_sparkline_has_sixty_blocks_at_most_and_eight_heights():
    assert sparkline([0, 1, 2, 4]) == "▁▃▅█"
    assert len(sparkline(list(range(1000)))) == 60
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([]) == ""


def test_questions_are_about_the_rollout_alone_and_fit_its_length():
    assert all('{sark_rollout="shop/gateway"' in query for _, _, query, _ in questions("shop/gateway", 15))
    assert (step(START, START + timedelta(seconds=10)), step(START, START + timedelta(days=7))) == (5, 3024)


class Door:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def instant(self, *_: object) -> Any:
        raise NotImplementedError

    async def over(self, *_: object) -> Any:
        return self.answer

    def close(self) -> None:
        pass


@pytest.mark.asyncio
async def test_what_is_no_number_is_left_out_and_an_answer_that_failed_is_said():
    values = [[START.timestamp(), "NaN"], [START.timestamp() + 5, "2.5"]]
    seen = await charts(Door([{"metric": {"implementation": "rust"}, "values": values}]), SERVER, "shop/gateway", START, START)
    assert seen[0].lines == (Line("rust", ((START + timedelta(seconds=5), 2.5),)),)
    assert (await charts(Door([]), SERVER, "shop/gateway", START, START))[
        0
    ].missing == "Prometheus has no sample of it in this time"
    away = await charts(Door(Missing("MetricsUnreachable", "Prometheus is away")), SERVER, "shop/gateway", START, START)
    assert {chart.missing for chart in away} == {"Prometheus is away"}
