"""Places for requests: urgent ones come first, those that become so move up, and nobody is forgotten."""

from __future__ import annotations

import asyncio

import pytest

from sark_operator.shell import standing
from sark_operator.shell.places import Places
from sark_operator.shell.standing import Standing
from sark_operator.shell.two_lines import MOST_IN_A_ROW

pytestmark = pytest.mark.asyncio


class Stand:
    """One place, which is taken until `free` is set, and those that wait for it."""

    def __init__(self) -> None:
        self.places, self.free = Places(1), asyncio.Event()
        self.order: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def occupied(self) -> Stand:
        self.tasks.append(asyncio.create_task(self._hold()))
        await asyncio.sleep(0)
        return self

    async def _hold(self) -> None:
        async with self.places.place():
            await self.free.wait()

    def come(self, name: str, whose: Standing | None = None) -> asyncio.Task[None]:
        async def work() -> None:
            if whose is not None:
                standing.adopt(whose)
            async with self.places.place():
                self.order.append(name)

        self.tasks.append(asyncio.create_task(work()))
        return self.tasks[-1]

    async def done(self) -> list[str]:
        await asyncio.sleep(0)
        self.free.set()
        await asyncio.wait_for(asyncio.gather(*self.tasks, return_exceptions=True), 10)
        return self.order


async def test_urgent_ones_come_first_each_in_its_order() -> None:
    stand = await Stand().occupied()
    for name in ("a", "b"):
        stand.come(name)
    for name in ("first", "second"):
        stand.come(name, Standing(urgent=True))
    assert await stand.done() == ["first", "second", "a", "b"]


async def test_one_that_becomes_urgent_moves_up_and_one_that_no_longer_is_stays() -> None:
    # Given three that wait, of which the last two are of rollouts whose evaluation is under way
    stand, breach, other = await Stand().occupied(), Standing(), Standing(urgent=True)
    stand.come("due")
    stand.come("breach", breach)
    stand.come("other", other)
    await asyncio.sleep(0)

    # When one of them becomes urgent, twice, and the other has been
    breach.set(urgent=True)
    breach.set(urgent=True)
    other.set(urgent=False)

    # Then both come before what is only due, each once
    assert await stand.done() == ["other", "breach", "due"]


async def test_where_everything_is_urgent_nothing_is_forgotten() -> None:
    stand, urgent = await Stand().occupied(), Standing(urgent=True)
    stand.come("due")
    for number in range(2 * MOST_IN_A_ROW):
        stand.come(str(number), urgent)
    assert (await stand.done()).index("due") == MOST_IN_A_ROW


@pytest.mark.parametrize("urgent", [False, True])
async def test_one_that_gives_up_takes_no_place(urgent: bool) -> None:
    # Given two that wait, of which the first gives up
    stand = await Stand().occupied()
    gone = stand.come("gone", Standing(urgent=urgent))
    stand.come("here")
    await asyncio.sleep(0)
    gone.cancel()

    # Then the other has its turn, and the place is free afterwards
    assert await stand.done() == ["here"]
    stand.come("later")
    assert await stand.done() == ["here", "later"]


async def test_one_that_gives_up_when_it_is_let_in_hands_its_place_on() -> None:
    # Given two that wait, when the place is given to the first in the moment in which that gives up
    stand = await Stand().occupied()
    gone = stand.come("gone")
    stand.come("here")
    await asyncio.sleep(0)
    stand.free.set()
    await asyncio.sleep(0)
    gone.cancel()

    # Then the place is not lost
    assert await stand.done() in (["here"], ["gone", "here"])
    stand.come("later")
    assert (await stand.done())[-1] == "later"


async def test_one_that_has_just_given_up_is_passed_over() -> None:
    # Given two that wait, when the first gives up in the moment in which the place becomes free
    stand = await Stand().occupied()
    gone = stand.come("gone")
    stand.come("here")
    await asyncio.sleep(0)
    stand.free.set()
    gone.cancel()

    # Then the other has it, and whoever held it has not failed
    assert await stand.done() == ["here"]
    assert stand.tasks[0].exception() is None


async def test_a_failure_gives_its_place_back() -> None:
    places = Places(1)
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            async with places.place():
                raise ValueError("broken")
