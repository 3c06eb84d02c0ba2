"""The pacer: turns come one after another, urgent ones first, and few are taken at once."""

from __future__ import annotations

import asyncio

import pytest

from sark_operator.shell.pacer import Pacer, Turn

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
        async with pacer.turn():
            given.append((number, rounds))

    pacer = Pacer(0)
    counting = asyncio.create_task(count())

    # When many ask at once
    await asyncio.gather(*(take(number) for number in range(100)))
    counting.cancel()

    # Then each waits for those before it, and no two have their turn in the same round
    assert [number for number, _ in given] == list(range(100))
    assert len({at for _, at in given}) == 100


async def test_few_are_under_way_at_once_and_each_that_ends_lets_another_begin() -> None:
    # Given three places, and work that notes how many are at it
    pacer, under_way, most = Pacer(0, places=3, longest_seconds=60), 0, 0

    async def work(number: int) -> None:
        nonlocal under_way, most
        async with pacer.turn():
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.005)
            under_way -= 1
            if number % 2:
                raise ValueError

    # When many have it to do, and half of it fails
    ended = await asyncio.gather(*(work(number) for number in range(20)), return_exceptions=True)

    # Then all have done it, three at a time
    assert sum(isinstance(each, ValueError) for each in ended) == 10
    assert most == 3


async def test_those_that_hang_give_up_their_places_and_hold_up_nobody() -> None:
    # Given two places, and work of which most hangs
    pacer, hang, all_have_begun = Pacer(0, places=2, longest_seconds=0.02), asyncio.Event(), asyncio.Event()
    begun: list[int] = []

    async def work(number: int) -> None:
        async with pacer.turn():
            begun.append(number)
            if len(begun) == len(tasks):
                all_have_begun.set()
            await hang.wait()

    tasks = [asyncio.create_task(work(number)) for number in range(10)]

    # When time goes on, then all begin nevertheless
    await asyncio.wait_for(all_have_begun.wait(), 10)
    assert begun == list(range(10))

    # And when they end, no place is given back twice
    hang.set()
    await asyncio.gather(*tasks)
    assert pacer._free == 2


async def test_one_that_gives_up_waiting_holds_up_nobody() -> None:
    # Given one that waits for the only place, one that waits for the place before it, and one behind both
    pacer, done = Pacer(0, places=1, longest_seconds=60), asyncio.Event()

    async def work() -> None:
        async with pacer.turn():
            await done.wait()

    tasks = [asyncio.create_task(work()) for _ in range(4)]
    await asyncio.sleep(0.01)

    # When those in the middle give up
    tasks[1].cancel()
    tasks[2].cancel()
    done.set()

    # Then the last one has its turn
    await asyncio.wait_for(tasks[3], 5)
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_is_urgent_comes_before_what_is_only_due() -> None:
    # Given one place that is taken, and many that wait for it
    pacer, ended, begun = Pacer(0, places=1, longest_seconds=60), asyncio.Event(), []

    async def work(name: str, turn: Turn) -> None:
        async with turn:
            begun.append(name)
            await ended.wait()

    turns = {name: pacer.turn() for name in ("at work", "due 1", "due 2", "in trouble", "due 3")}
    tasks = [asyncio.create_task(work(name, turn)) for name, turn in turns.items()]
    await asyncio.sleep(0.01)

    # When one of them becomes urgent, and another one comes that is
    turns["in trouble"].hurry()
    tasks.append(asyncio.create_task(work("alerted", pacer.turn(urgent=True))))
    await asyncio.sleep(0.01)
    ended.set()
    await asyncio.gather(*tasks)

    # Then these two are next, and the others keep their order
    assert begun == ["at work", "in trouble", "alerted", "due 1", "due 2", "due 3"]


async def test_where_all_is_urgent_what_is_due_is_not_forgotten() -> None:
    # Given one that is only due behind very many that are urgent
    pacer, begun = Pacer(0, places=1, longest_seconds=60), []

    async def work(name: str, *, urgent: bool) -> None:
        async with pacer.turn(urgent=urgent):
            begun.append(name)

    # When all are given their turns
    await asyncio.gather(*(work("urgent", urgent=True) for _ in range(50)), *(work("due", urgent=False) for _ in range(3)))

    # Then one of them comes after so many of the others
    assert [at for at, name in enumerate(begun) if name == "due"] == [8, 17, 26]


async def test_a_turn_that_was_hurried_too_late_takes_no_second_place() -> None:
    # Given turns that have begun and ended
    pacer, turns = Pacer(0, places=2, longest_seconds=60), []
    for _ in range(3):
        turns.append(turn := pacer.turn())
        async with turn:
            turn.hurry()

    # When they are hurried, then nothing begins again
    for turn in turns:
        turn.hurry()
    assert pacer._free == 2
    assert pacer._lines.next() is None


async def test_to_be_hurried_never_makes_it_later() -> None:
    # Given one that is next among those that are due, and very many that are urgent
    pacer, hold, begun = Pacer(0, places=1, longest_seconds=60), asyncio.Event(), []

    async def work(name: str, turn: Turn) -> None:
        async with turn:
            begun.append(name)
            await hold.wait()

    turns = {"at work": pacer.turn(), "next": pacer.turn(), "due": pacer.turn()}
    tasks = [asyncio.create_task(work(name, turn)) for name, turn in turns.items()]
    tasks += [asyncio.create_task(work(str(number), pacer.turn(urgent=True))) for number in range(50)]
    await asyncio.sleep(0.01)

    # When it becomes urgent too
    turns["next"].hurry()
    hold.set()
    await asyncio.gather(*tasks)

    # Then it comes when it would have come, and once
    assert begun.index("next") == 9
    assert begun.count("next") == 1
    assert pacer._free == 1
    assert begun.index("due") == 18
