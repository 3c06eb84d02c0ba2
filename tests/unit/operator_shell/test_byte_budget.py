"""Whose answers wait for room in memory."""

from __future__ import annotations

import threading
import time

from sark_operator.shell.byte_budget import MOST, OF_A_SERVER, ByteBudget

NOW = 0.0
"""A deadline that has passed."""


def test_servers_that_hold_all_there_is_leave_each_other_one_its_own_part() -> None:
    # Given a server that holds all that is common
    budget = ByteBudget()
    assert budget.take("stalls", OF_A_SERVER + MOST, NOW)
    assert not budget.take("stalls", 1, NOW)

    # Then another one has what is its own, and no more
    assert budget.take("other", OF_A_SERVER, NOW)
    assert not budget.take("other", 1, NOW)


def test_who_waits_has_what_another_gives_back() -> None:
    # Given a budget that is spent, and a thread that waits for a byte
    budget = ByteBudget()
    assert budget.take("a", OF_A_SERVER + MOST, NOW)
    told: list[bool] = []
    waiting = threading.Thread(target=lambda: told.append(budget.take("a", 1, time.monotonic() + 60)))
    waiting.start()

    # When some is given back, then it has it
    budget.give("a", OF_A_SERVER)
    waiting.join(30)
    assert told == [True]


def test_what_is_given_back_is_forgotten() -> None:
    budget = ByteBudget()
    for _ in range(1000):
        assert budget.take("a", OF_A_SERVER + MOST, NOW)
        budget.give("a", OF_A_SERVER + MOST)
    assert not budget._taken
