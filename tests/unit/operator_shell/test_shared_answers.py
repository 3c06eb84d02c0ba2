"""Sharing answers between rollouts."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from sark_operator.shell.shared_answers import Coming, SharedAnswers

pytestmark = pytest.mark.asyncio


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


class Source:
    """Counts how often it is asked, and answers when it is let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = asyncio.Event()
        self.failure: Exception | None = None

    async def ask(self) -> int:
        self.asked += 1
        mine = self.asked
        await self.go.wait()
        if self.failure is not None:
            raise self.failure
        return mine


async def test_one_question_is_asked_once_however_many_wait():
    shared: SharedAnswers[int] = SharedAnswers(HandClock())
    source = Source()
    waiting = [asyncio.ensure_future(shared.get("q", 1.0, source.ask)) for _ in range(100)]
    await asyncio.sleep(0)
    source.go.set()
    assert await asyncio.gather(*waiting) == [1] * 100
    assert source.asked == 1


async def test_an_answer_is_as_old_as_its_question():
    # Given an answer that took three seconds
    clock = HandClock()
    shared: SharedAnswers[int] = SharedAnswers(clock)
    source = Source()
    first = asyncio.ensure_future(shared.get("q", 5.0, source.ask))
    await asyncio.sleep(0)
    clock.seconds = 3.0
    source.go.set()
    assert await first == 1

    # Then it is good for those who accept its age, and asked for anew by those who do not
    assert await shared.get("q", 3.0, source.ask) == 1
    assert await shared.get("q", 2.9, source.ask) == 2
    assert await shared.get("other", 5.0, source.ask) == 3


async def test_a_caller_that_goes_away_does_not_take_the_answer_of_the_others_with_it():
    shared: SharedAnswers[int] = SharedAnswers(HandClock())
    source = Source()
    impatient = asyncio.ensure_future(shared.get("q", 1.0, source.ask))
    patient = asyncio.ensure_future(shared.get("q", 1.0, source.ask))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    source.go.set()
    assert await patient == 1
    assert impatient.cancelled()


async def test_a_failure_is_not_kept():
    shared: SharedAnswers[int] = SharedAnswers(HandClock())
    source = Source()
    source.go.set()
    source.failure = ValueError("broken")
    with pytest.raises(ValueError, match="broken"):
        await shared.get("q", 60.0, source.ask)
    source.failure = None
    assert await shared.get("q", 60.0, source.ask) == 2


async def test_a_failure_nobody_waits_for_any_more_is_not_complained_of():
    # Given three questions that were asked together, and all fail
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    shared: SharedAnswers[int] = SharedAnswers(HandClock())
    source = Source()
    source.failure = ValueError("broken")
    asked = [shared.get(question, 1.0, source.ask) for question in range(3)]
    source.go.set()

    # When who has asked them leaves at the first
    with pytest.raises(ValueError, match="broken"):
        await asked[0]
    await asyncio.sleep(0)
    asked.clear()
    await shared.close()
    gc.collect()

    # Then the others are no errors of their own
    assert source.asked == 3
    assert complaints == []


async def test_it_does_not_grow_without_bound():
    shared: SharedAnswers[int] = SharedAnswers(HandClock())
    source = Source()
    source.go.set()
    for question in range(2000):
        await shared.get(question, 60.0, source.ask)
    assert len(shared._entries) < 1000


async def test_an_answer_that_is_too_old_for_all_who_asked_for_it_is_not_kept():
    # Given questions that name their time, as those for counting windows do, one every fifteen seconds; and one that is good
    # for longer
    clock = HandClock()
    shared: SharedAnswers[int] = SharedAnswers(clock)
    source = Source()
    source.go.set()
    await shared.get("memory", 30.0, source.ask)

    # When time goes on
    kept = []
    for number in range(4):
        clock.seconds = 15.0 * number
        await shared.get(("windows", number), 5.0, source.ask)
        kept.append(set(shared._entries))

    # Then only what somebody may still want is there
    assert kept[1] == {"memory", ("windows", 1)}
    assert kept[3] == {("windows", 3)}


@pytest.mark.parametrize(("took", "age", "asked"), [(1.0, 2.0, 1), (1.0, 2.1, 2), (4.0, 8.0, 1), (4.0, 8.1, 2)])
async def test_how_long_an_answer_is_good_for_may_depend_on_it_and_on_how_long_it_took(took: float, age: float, asked: int):
    # Given an answer that took so long, and is good for as long again
    clock = HandClock()
    shared: SharedAnswers[int] = SharedAnswers(clock)
    source = Source()
    first = asyncio.ensure_future(shared.get("q", 1.0, source.ask))
    await asyncio.sleep(0)
    clock.seconds = took
    source.go.set()
    assert await first == 1
    await asyncio.sleep(0)

    # When somebody asks again, so long after it was asked for
    clock.seconds = age
    told: list[int] = []

    def good_for(answer: int, seconds: float) -> float:
        told.append(answer)
        return 2 * seconds

    await shared.get("q", 1.0, source.ask, good_for)

    # Then it is asked for anew when it is older than that
    assert (told[0], source.asked) == (1, asked)


class Asker:
    """Asks one question: an answer is good for 5 s, and goes on for 2 s more while the next one is on its way."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.shared: SharedAnswers[int] = SharedAnswers(self.clock)
        self.source = Source()
        self.source.go.set()

    async def at(self, seconds: float) -> int | None:
        """Return the answer at this time, or None where there is none without waiting."""
        self.clock.seconds = seconds
        coming = asyncio.ensure_future(self.shared.get("q", 5.0, self.source.ask, meanwhile=lambda _found, _took: 2.0))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return coming.result() if coming.done() else None


async def test_the_last_answer_goes_on_while_the_next_one_is_on_its_way():
    # Given an answer, and that the next one takes a while
    asker = Asker()
    assert await asker.at(0.0) == 1
    asker.source.go.clear()

    # When it is too old, then it is asked for anew, once, and meanwhile goes on
    assert [await asker.at(seconds) for seconds in (5.0, 5.1, 6.0, 7.0)] == [1, 1, 1, 1]
    assert asker.source.asked == 2

    # When the next one takes longer than that, then it is waited for, and not asked for a third time
    assert await asker.at(7.1) is None
    asker.source.go.set()
    assert await asker.at(7.2) == 2
    assert asker.source.asked == 2


async def test_the_next_answer_takes_its_place_as_soon_as_it_is_there():
    # Given an answer that goes on while the next one is on its way
    asker = Asker()
    assert await asker.at(0.0) == 1
    asker.source.go.clear()
    assert await asker.at(5.5) == 1

    # When that has come
    asker.source.go.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    # Then it is given, and is as old as its question
    assert await asker.at(6.0) == 2
    assert await asker.at(10.5) == 2
    assert asker.source.asked == 2


async def test_a_question_that_fails_anew_is_asked_again():
    asker = Asker()
    assert await asker.at(0.0) == 1
    asker.source.failure = ValueError("broken")
    assert await asker.at(5.5) == 1
    asker.source.failure = None
    assert await asker.at(6.0) == 1
    assert await asker.at(6.5) == 3


async def test_what_is_forgotten_goes_on_no_longer():
    # Given an answer that goes on while the next one is on its way
    asker = Asker()
    assert await asker.at(0.0) == 1
    asker.source.go.clear()
    assert await asker.at(5.5) == 1

    # When it is forgotten, then whoever asks waits for a new one, and that is not displaced by the one under way
    asker.shared.forget(lambda key: key == "q")
    assert await asker.at(5.6) is None
    asker.source.go.set()
    await asyncio.sleep(0)
    assert await asker.at(5.7) == 3
    assert await asker.at(5.8) == 3


async def test_what_renews_an_answer_is_asked_as_such():
    # Given an answer that goes on
    clock, asked = HandClock(), list[str]()
    shared: SharedAnswers[str] = SharedAnswers(clock)

    def ask(how: str) -> Callable[[], Awaitable[str]]:
        async def answer() -> str:
            asked.append(how)
            return how

        return answer

    async def at(seconds: float) -> str:
        clock.seconds = seconds
        return await shared.get("q", 5.0, ask("awaited"), meanwhile=lambda _found, _took: 2.0, renew=ask("renewed"))

    # When it is asked for first, while it goes on, and long after
    assert [await at(0.0), await at(6.0)] == ["awaited", "awaited"]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [await at(7.0), await at(30.0)] == ["renewed", "awaited"]

    # Then only the second question was no one's to wait for
    assert asked == ["awaited", "renewed", "awaited"]


async def test_an_answer_asked_for_by_one_who_wants_younger_ones_goes_on_for_another():
    # Given an answer that whoever asked for it takes for a second only
    asker = Asker()
    assert await asker.shared.get("q", 1.0, asker.source.ask) == 1

    # When one who takes older ones finds it too old, then it goes on, and the one that renews it is not lost
    assert await asker.at(6.0) == 1
    await asyncio.sleep(0)
    assert await asker.at(6.5) == 2
    assert asker.source.asked == 2


async def one_that_is_waited_for() -> tuple[Source, SharedAnswers[int], Coming[int]]:
    """Return a question whose answer is eight seconds old and kept for nine, and the next one, which somebody waits for."""
    asker = Asker()
    source, shared = asker.source, asker.shared
    assert await shared.get("q", 1.0, source.ask, keep=9.0) == 1
    asker.clock.seconds = 8.0
    source.go.clear()
    return source, shared, shared.get("q", 1.0, source.ask, keep=9.0)


async def test_an_answer_too_old_for_one_goes_on_for_another_while_the_next_is_waited_for():
    # Given an answer that is kept for nine seconds, and one who waits for a younger one
    source, shared, younger = await one_that_is_waited_for()

    # When others ask that take one as old, or not quite, then only the latter waits
    def goes_on(seconds: float) -> Callable[[int, float], float]:
        return lambda _found, _took: seconds

    assert await shared.get("q", 1.0, source.ask, meanwhile=goes_on(7.0)) == 1
    other = shared.get("q", 1.0, source.ask, meanwhile=goes_on(6.0))
    assert other.task is younger.task

    # And when the next has come, the one before is no more
    source.go.set()
    assert await younger == 2
    assert await shared.get("q", 1.0, source.ask, meanwhile=goes_on(7.0)) == 2
    assert source.asked == 2


async def test_an_answer_that_has_come_is_given_in_the_same_moment():
    # Given an answer that may go on, and the next one under way, which others wait for
    source, shared, younger = await one_that_is_waited_for()

    async def ask_when_it_has_come() -> int:
        await source.go.wait()
        assert younger.task.done()
        return await shared.get("q", 1.0, source.ask, meanwhile=lambda _found, _took: 7.0)

    await asyncio.sleep(0)
    asking = asyncio.ensure_future(ask_when_it_has_come())
    await asyncio.sleep(0)

    # When it comes, then who is woken in that moment has it too
    source.go.set()
    assert await asking == 2


async def test_an_answer_that_was_renewed_is_not_the_first_to_make_room():
    clock, source = HandClock(), Source()
    shared: SharedAnswers[int] = SharedAnswers(clock, most=2)
    source.go.set()
    await shared.get("hot", 5.0, source.ask, meanwhile=lambda _found, _took: 2.0)
    await shared.get("once", 60.0, source.ask)
    clock.seconds = 6.0
    await shared.get("hot", 5.0, source.ask, meanwhile=lambda _found, _took: 2.0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await shared.get("another", 60.0, source.ask)
    assert list(shared._entries) == ["hot", "another"]


async def test_what_follows_ends_with_it_also_when_it_was_forgotten():
    asker = Asker()
    assert await asker.at(0.0) == 1
    asker.source.go.clear()
    assert await asker.at(5.5) == 1
    asker.shared.forget(lambda key: key == "q")
    before = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
    assert before
    await asker.shared.close()
    assert all(task.done() for task in before)


async def test_what_is_under_way_ends_with_it():
    shared: SharedAnswers[int] = SharedAnswers(HandClock())
    waiting = asyncio.ensure_future(shared.get("q", 1.0, Source().ask))
    await asyncio.sleep(0)
    await shared.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_what_is_forgotten_is_asked_anew_and_who_waits_is_still_answered():
    # Given one question under way and another that is answered
    shared: SharedAnswers[int] = SharedAnswers(HandClock())
    source, other = Source(), Source()
    other.go.set()
    assert await shared.get("other", 60.0, other.ask) == 1
    waiting = asyncio.ensure_future(shared.get("alerts", 60.0, source.ask))
    await asyncio.sleep(0)

    # When the first is forgotten
    shared.forget(lambda key: key == "alerts")
    again = asyncio.ensure_future(shared.get("alerts", 60.0, source.ask))
    await asyncio.sleep(0)
    source.go.set()

    # Then it is asked a second time, and nobody else's answer is lost
    assert (await waiting, await again) == (1, 2)
    assert await shared.get("other", 60.0, other.ask) == 1
    await shared.close()
