"""What is said of the inside of the new arm: each part for itself, and nothing of what nobody saw."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from datetime import timedelta
from math import inf
from typing import Any, cast

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_operator.core.observation import Comparisons, DataPlane, Histogram, Missing
from sark_operator.shell import promql
from sark_operator.shell.data_plane import Ask, DataPlaneAnswers, DataPlaneQuestions
from sark_operator.shell.promql import QueryOf

WINDOW = timedelta(minutes=5)
LATE = Missing("MetricsTimeout", "late")
EMPTY = Histogram((), ())
ENGINE, CACHE, OTHER = (Histogram((inf,), (number,)) for number in (1.0, 2.0, 3.0))
ANSWERS = DataPlaneAnswers(
    fallbacks={"shop/gateway": 4.0},
    evaluations={"shop/gateway": {ARM_NEW: ENGINE, ARM_BASELINE: OTHER}},
    lookups={"shop/gateway": {ARM_NEW: CACHE, ARM_BASELINE: OTHER}},
    cpu={"shop/gateway": {"gw-0": 0.5}},
    compared={"shop/gateway": {"match": 90.0, "mismatch": 2.0, promql.UNCONFIRMED: 3.0}},
    differences={"shop/gateway": (("authz/allow", "allow", 2.0),)},
)
PARTS = ("fallbacks", "evaluations", "lookups", "cpu", "shadow")


def test_each_number_is_that_of_the_rollout_and_of_the_new_arm() -> None:
    compared = Comparisons(90.0, 2.0, (("authz/allow", "allow", 2.0),), unconfirmed=3.0)
    assert ANSWERS.of("shop/gateway", None) == DataPlane(4.0, ENGINE, CACHE, {"gw-0": 0.5}, compared)


def test_where_no_series_is_nothing_was_counted_and_of_fallbacks_nothing_is_known() -> None:
    assert ANSWERS.of("shop/other", None) == DataPlane(None, EMPTY, EMPTY, {}, Comparisons())


def test_of_a_rollout_that_is_not_seen_nothing_is_believed() -> None:
    assert ANSWERS.of("shop/gateway", LATE) == DataPlane(LATE, LATE, LATE, LATE, LATE)


@pytest.mark.parametrize(
    ("answer", "part"), [*((part, part) for part in PARTS[:-1]), ("compared", "shadow"), ("differences", "shadow")]
)
def test_an_answer_that_is_missing_is_missing_in_its_own_part(answer: str, part: str) -> None:
    plane = replace(ANSWERS, **{answer: LATE}).of("shop/gateway", None)

    assert {name for name in PARTS if getattr(plane, name) is LATE} == {part}


class Prometheus:
    """Answers each question with itself."""

    def __init__(self) -> None:
        self.signs: set[str] = set()
        """Questions that may be the first to show a breach."""

    def __call__(self, query: QueryOf, _parse: Callable[[Any], Any], *, sign: bool = False) -> Awaitable[Any | Missing]:
        asked = query(WINDOW, "")
        if sign:
            self.signs.add(asked)
        answer = asyncio.get_running_loop().create_future()
        answer.set_result(asked)
        return answer


SIGNS = {promql.comparisons(WINDOW), promql.mismatches(WINDOW)}
QUESTIONS = [
    each(WINDOW)
    for each in (promql.fallbacks, promql.evaluations, promql.lookups, promql.cpu, promql.comparisons, promql.mismatches)
]


@pytest.mark.asyncio
async def test_each_question_has_its_own_answer_and_what_may_show_a_breach_goes_first() -> None:
    prometheus = Prometheus()

    answers = await DataPlaneQuestions.ask(cast("Ask", prometheus)).answers()

    assert [getattr(answers, each.name) for each in fields(answers)] == QUESTIONS
    assert prometheus.signs == SIGNS


@pytest.mark.asyncio
async def test_at_a_glimpse_only_what_may_show_a_breach_is_asked() -> None:
    answers = await DataPlaneQuestions.ask(cast("Ask", Prometheus()), LATE).answers()

    assert [getattr(answers, each.name) for each in fields(answers)] == [LATE] * 4 + QUESTIONS[4:]
