"""Answers about lengths of time: each is what was asked, and what is missing is missing for itself."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from sark_operator.core.observation import CountedWindow, MemorySeries, Missing
from sark_operator.shell.lasting import Lasting, LastingQuestions, Memory
from sark_operator.shell.oddities import ODD

pytestmark = pytest.mark.asyncio

Answer = TypeVar("Answer")

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATE = Missing("MetricsTimeout", "late")
SHORT, LONG = (MemorySeries("gw-0", ((0.0, 1.0),)), MemorySeries("gw-0", ((0.0, 2.0),)))
WINDOW = CountedWindow(NOON, NOON + timedelta(seconds=15), {})


async def soon(answer: Answer) -> Answer:
    return answer


async def asked(
    memory: Memory | Missing, sustained: Memory | Missing | None, number: float | Missing, windows: object
) -> Lasting:
    async def counted(_rollout: str) -> tuple[CountedWindow, ...] | Missing:
        if isinstance(windows, Exception):
            raise windows
        return windows  # type: ignore[return-value]

    long: Awaitable[Memory | Missing] | None = None if sustained is None else soon(sustained)
    questions = LastingQuestions(
        counted, soon(memory), long, {"queue": soon(number)}, lambda error: Missing("MetricsInvalid", type(error).__name__)
    )
    return await questions.answers("shop/gateway")


async def test_each_answer_is_what_was_asked() -> None:
    answers = await asked({"shop/gateway": (SHORT,)}, {"shop/gateway": (LONG,)}, 3.0, (WINDOW,))

    assert answers == Lasting((SHORT,), (LONG,), {"queue": 3.0}, (WINDOW,))


async def test_what_is_missing_is_missing_and_not_nothing() -> None:
    answers = await asked(LATE, LATE, LATE, LATE)

    assert answers == Lasting(LATE, LATE, {"queue": Missing("MetricsTimeout", "criterion queue: late")}, LATE)


async def test_a_rollout_of_which_there_is_nothing_has_no_pods_and_growth_that_need_not_last_is_not_asked_for() -> None:
    answers = await asked({"shop/other": (SHORT,)}, None, 3.0, ())

    assert answers == Lasting((), None, {"queue": 3.0}, ())


@pytest.mark.parametrize("odd", ODD)
async def test_windows_that_cannot_be_reckoned_with_are_missing(odd: type[Exception]) -> None:
    answers = await asked({}, None, 3.0, odd("odd"))

    assert answers.windows == Missing("MetricsInvalid", odd.__name__)
