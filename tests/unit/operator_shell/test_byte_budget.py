"""Whose answers wait for room in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from sark_operator.shell import byte_budget, prometheus
from sark_operator.shell.byte_budget import MOST, RESERVE, ByteBudget
from sark_operator.shell.precedence import Precedence
from sark_operator.shell.rooms import MOST_ROOMS, PLACES, SIGNS

PAST = 0.0
"""A deadline that has passed."""
PIECE = prometheus._CHUNK
COMMON = MOST - RESERVE
SERVERS = MOST_ROOMS - 1 + PLACES + SIGNS
"""As many as may be asked at once: each room has one, but for the one that is shared."""


class Answers:
    """Servers whose answers come piece by piece."""

    def __init__(self) -> None:
        self.budget = ByteBudget()
        self.ended: list[str] = []

    @property
    def held(self) -> int:
        return sum(self.budget._taken.values())

    def take(self, server: str, size: int = PIECE, deadline: float = PAST, precedence: Precedence = Precedence.AWAITED) -> bool:
        return self.budget.take(server, size, deadline, precedence, lambda: self.ended.append(server))

    def fill(self, server: str, most: int = prometheus.MAX_ANSWER_BYTES) -> int:
        """Take as much as a server gets without waiting, up to `most`, and return how much that is."""
        taken = 0
        while taken < most and self.take(server):
            taken += PIECE
        return taken


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def undivided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one server have all that is common."""
    monkeypatch.setattr(byte_budget, "PARTS", 1)


def soon(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_however_many_servers_there_are_all_answers_together_stay_within_the_limit(answers: Answers) -> None:
    # Given as many servers as are asked at once, each of which sends as much as it may
    taken = [answers.fill(f"s{number}") for number in range(SERVERS)]

    # Then the total holds, each has something, and one is whole
    assert answers.held == sum(taken) <= MOST
    assert min(taken) > 0
    assert max(taken) == prometheus.MAX_ANSWER_BYTES


def test_a_piece_beyond_the_longest_answer_is_within_the_reserve() -> None:
    assert prometheus.MAX_ANSWER_BYTES + prometheus._CHUNK <= RESERVE


def test_servers_that_send_side_by_side_come_to_their_end_one_after_the_other(answers: Answers) -> None:
    # Given three times as many bytes as there may be, in answers of which each is waited for
    most, deadline = 0, time.monotonic() + 30

    def read(number: int) -> bool:
        nonlocal most
        server, size = f"s{number}", 0
        while size < 24 * 1024 * 1024 and answers.take(server, deadline=deadline):
            size += PIECE
            most = max(most, answers.held)
        answers.budget.all_is_here(server)
        time.sleep(0.01)
        answers.budget.give(server, size)
        return size == 24 * 1024 * 1024

    # Then none is refused, and no two wait for each other
    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(read, range(12)))
    assert most <= MOST
    assert (answers.budget._common, answers.budget._ahead, dict(answers.budget._taken)) == (0, None, {})
    assert not answers.budget._had


def test_one_that_stalls_with_the_reserve_loses_it_once_another_needs_it(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given servers that stall, of which one has the reserve
    monkeypatch.setattr(byte_budget, "HELD_SECONDS", 0.05)
    monkeypatch.setattr(byte_budget, "HELD_LEAST_SECONDS", 0.05)
    stalled = {server: answers.fill(server) for server in ("stalls", "stalls too", "stalls as well")}
    ahead = answers.budget._ahead
    assert ahead is not None
    time.sleep(0.1)
    assert answers.ended == []

    # When another one comes that needs more than what is left, then the one with the reserve is ended, once
    while answers.take("honest"):
        pass
    with ThreadPoolExecutor(1) as pool:
        more = pool.submit(answers.take, "honest", deadline=time.monotonic() + 30)
        soon(lambda: bool(answers.ended))
        time.sleep(0.1)
        assert answers.ended == [ahead.server]
        answers.budget.give(ahead.server, stalled[ahead.server])
        assert more.result(30)


@pytest.mark.usefixtures("undivided")
def test_one_that_has_the_reserve_later_loses_it_too(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given two that wait for the reserve while a third has it
    monkeypatch.setattr(byte_budget, "HELD_SECONDS", 0.05)
    monkeypatch.setattr(byte_budget, "HELD_LEAST_SECONDS", 0.05)
    assert answers.take("common", COMMON)
    assert answers.take("ahead")
    answers.budget.all_is_here("ahead")
    with ThreadPoolExecutor(2) as pool:
        for server in ("a", "b"):
            pool.submit(answers.take, server, deadline=time.monotonic() + 30)
        soon(lambda: len(answers.budget._waiting) == 2)

        # When it goes to one of them, which stalls, then that one is ended for the other
        answers.budget.give("ahead", PIECE)
        soon(lambda: bool(answers.ended))
        answers.budget.give(answers.ended[0], PIECE)
        soon(lambda: not answers.budget._waiting)


@pytest.mark.usefixtures("undivided")
def test_one_that_has_come_to_its_end_is_not_ended_for_another(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_budget, "HELD_SECONDS", 0.0)
    monkeypatch.setattr(byte_budget, "HELD_LEAST_SECONDS", 0.0)
    assert answers.take("reads", COMMON)
    assert answers.take("reads", 1)
    answers.budget.all_is_here("reads")
    assert not answers.take("other", deadline=time.monotonic() + 0.1)
    assert answers.ended == []


@pytest.mark.usefixtures("undivided")
@pytest.mark.parametrize(
    ("had", "first"),
    [({}, "sign"), ({"sign": 5.0}, "awaited"), ({"awaited": 5.0, "sign": 5.0}, "renewed")],
    ids=["precedence", "but for one that had more", "or less"],
)
def test_the_reserve_goes_to_who_had_it_least_and_then_by_precedence(
    answers: Answers, had: dict[str, float], first: str
) -> None:
    # Given a reserve that is taken, and those who wait for it
    assert answers.take("common", COMMON)
    assert answers.take("ahead")
    answers.budget._had.update(had)
    done: list[str] = []

    def wait(precedence: Precedence) -> None:
        if answers.take(precedence.name.lower(), deadline=time.monotonic() + 30, precedence=precedence):
            done.append(precedence.name.lower())

    waiting = [threading.Thread(target=wait, args=(precedence,)) for precedence in reversed(Precedence)]
    for count, thread in enumerate(waiting, start=1):
        thread.start()
        soon(lambda count=count: len(answers.budget._waiting) == count)  # type: ignore[misc]

    # When it is free, then one has it, and the others wait on
    answers.budget.give("ahead", PIECE)
    soon(lambda: bool(done))
    assert done == [first]
    answers.budget.give("common", COMMON)
    for thread in waiting:
        thread.join(30)
    assert len(done) == 3


@pytest.mark.usefixtures("undivided")
def test_who_stalled_comes_after_all_others(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a server that had the reserve, stalled and was ended for another
    monkeypatch.setattr(byte_budget, "HELD_SECONDS", 0.05)
    monkeypatch.setattr(byte_budget, "HELD_LEAST_SECONDS", 0.05)
    assert answers.take("common", COMMON)
    assert answers.take("stalls")
    done: list[str] = []

    def wait(server: str, precedence: Precedence) -> None:
        if answers.take(server, deadline=time.monotonic() + 30, precedence=precedence):
            done.append(server)
            answers.budget.all_is_here(server)

    first = threading.Thread(target=wait, args=("first", Precedence.AWAITED))
    first.start()
    soon(lambda: answers.ended == ["stalls"])
    answers.budget.give("stalls", PIECE)
    soon(lambda: done == ["first"])

    # When it comes again with what is urgent, before one that had the reserve for long and is not urgent
    answers.budget._had["honest"] = 50.0
    waiting = [
        threading.Thread(target=wait, args=args) for args in (("stalls", Precedence.SIGN), ("honest", Precedence.RENEWED))
    ]
    for count, thread in enumerate(waiting, start=1):
        thread.start()
        soon(lambda count=count: len(answers.budget._waiting) == count)  # type: ignore[misc]
    answers.budget.give("first", PIECE)

    # Then it waits until that one is done
    soon(lambda: "honest" in done)
    assert done == ["first", "honest"]
    answers.budget.give("honest", PIECE)
    for thread in (first, *waiting):
        thread.join(30)
    assert done == ["first", "honest", "stalls"]


def test_the_more_wait_the_sooner_one_that_stalls_is_ended(answers: Answers) -> None:
    ahead = byte_budget._Ahead("ahead", lambda: None, since=10.0)
    waiting = [byte_budget._Waiting(f"s{number % 20}", Precedence.AWAITED) for number in range(40)]
    times = []
    for count in (1, 2, 20, 40):
        answers.budget._waiting = waiting[:count]
        times.append(answers.budget._until(ahead) - ahead.since)
    assert times == [byte_budget.HELD_SECONDS, byte_budget.HELD_SECONDS / 2, *[byte_budget.HELD_LEAST_SECONDS] * 2]


@pytest.mark.usefixtures("undivided")
def test_who_waits_has_what_another_gives_back(answers: Answers) -> None:
    # Given a budget that is spent, and one that waits for a piece
    assert answers.take("a", COMMON)
    assert answers.take("b")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(answers.take, "c", deadline=time.monotonic() + 60)

        # When some of what is common is given back, then it has it
        answers.budget.give("a", COMMON)
        assert waiting.result(30)


@pytest.mark.usefixtures("undivided")
def test_what_is_given_back_is_forgotten(answers: Answers) -> None:
    for _ in range(1000):
        assert answers.take("a", COMMON)
        assert answers.take("b", RESERVE)
        assert not answers.take("c")
        answers.budget.give("a", COMMON)
        answers.budget.give("b", RESERVE)
    budget = answers.budget
    assert not any((budget._taken, budget._common, budget._waiting, budget._ahead, budget._had))
