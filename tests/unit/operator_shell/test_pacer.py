"""The pacer: turns come one after another, in the order in which they were asked for."""

from __future__ import annotations

import asyncio

import pytest

from sark_operator.shell.pacer import Pacer

pytestmark = pytest.mark.asyncio


async def test_turns_are_given_in_order_and_the_loop_runs_between_them() -> None:
    # Given a loop that counts how often it comes round
    rounds, given = 0, []

    async def count() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    async def take(number: int) -> None:
        await pacer.turn()
        given.append((number, rounds))

    pacer = Pacer(0)
    counting = asyncio.create_task(count())

    # When many ask at once
    await asyncio.gather(*(take(number) for number in range(100)))
    counting.cancel()

    # Then each waits for those before it, and no two have their turn in the same round
    assert [number for number, _ in given] == list(range(100))
    assert len({at for _, at in given}) == 100


async def test_one_that_gives_up_waiting_holds_up_nobody() -> None:
    pacer = Pacer(0)
    impatient, patient = asyncio.create_task(pacer.turn()), asyncio.create_task(pacer.turn())
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.wait_for(patient, 5)
