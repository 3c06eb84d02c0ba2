"""The pulse: a process whose evaluations hang is not fit to lead."""

from __future__ import annotations

import asyncio

import pytest

from sark_operator.shell.clock import SystemClock
from sark_operator.shell.pulse import Pulse

pytestmark = pytest.mark.asyncio


class Turned(SystemClock):
    """A clock the test turns."""

    def __init__(self) -> None:
        self.at = 100.0

    def monotonic(self) -> float:
        return self.at


async def test_a_loop_that_comes_round_is_fit_and_one_that_does_not_says_for_how_long() -> None:
    clock = Turned()
    pulse = Pulse(clock, limit_seconds=15)

    clock.at += 15
    assert pulse.missing() == ""
    clock.at += 4
    assert pulse.missing() == "the operator has evaluated nothing for 19 s"
    pulse.beat()
    assert pulse.missing() == ""


@pytest.mark.parametrize(("hangs", "fit"), [(False, True), (True, False)])
async def test_it_beats_by_itself_except_while_evaluations_hang(hangs: bool, fit: bool) -> None:
    clock = Turned()
    pulse = Pulse(clock, limit_seconds=0.015)
    clock.at += 60
    beating = asyncio.create_task(pulse.keep(lambda: hangs))
    try:
        for _ in range(200):
            await asyncio.sleep(0.001)
            if (pulse.missing() == "") is fit:
                break
        await asyncio.sleep(0.01)
        assert (pulse.missing() == "") is fit
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
