from __future__ import annotations

import pytest

from sark_operator.shell.audience import FORGET_SECONDS, RARE, Audience


class HandClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def audience(clock: HandClock) -> Audience:
    return Audience(clock)  # type: ignore[arg-type] # it asks for no time of day


def ask(audience: Audience, rollout: str, *topics: str, group: str = "prometheus") -> frozenset[object]:
    return audience.common(group, rollout, frozenset(topics))


def test_what_many_ask_is_common_and_what_few_ask_is_not(audience: Audience) -> None:
    # Given two fleets' worth of rollouts that ask the same, and one that asks two things
    for number in range(2 * RARE):
        ask(audience, f"shop/{number}", "5m")

    # When it asks, then only what the others ask too is common
    assert ask(audience, "evil/0", "5m", "301s") == {"5m"}
    # And with two more of its kind the second is common too
    ask(audience, "evil/1", "301s")
    assert ask(audience, "evil/2", "301s") == {"301s"}


def test_a_few_rollouts_share_whatever_they_ask(audience: Audience) -> None:
    assert all(ask(audience, f"shop/{number}", f"{number}m") for number in range(RARE))
    assert not ask(audience, f"shop/{RARE}", "99m")


def test_no_more_than_so_many_topics_are_common(audience: Audience) -> None:
    asked = [(f"shop/{number}", f"{number % 100}s") for number in range(1000)]
    for rollout, topic in asked:
        ask(audience, rollout, topic)
    assert not any(ask(audience, rollout, topic) for rollout, topic in asked)
    assert ask(audience, "shop/1000", "1s") == set()


def test_a_rollout_counts_for_what_it_asked_last(audience: Audience) -> None:
    # Given a topic that just enough rollouts have, when one of them has another by now
    for number in range(2 * RARE - 2):
        ask(audience, f"shop/{number}", "5m")
    ask(audience, "team/a", "1m")
    assert ask(audience, "team/b", "1m") == {"1m"}
    ask(audience, "team/a", "2m")

    # Then it is rare
    assert ask(audience, "team/b", "1m") == set()


def test_those_that_have_gone_are_forgotten(audience: Audience, clock: HandClock) -> None:
    # Given many rollouts, of which one still asks after a while
    for number in range(10 * RARE):
        ask(audience, f"shop/{number}", "5m")
    assert not ask(audience, "team/a", "1m")
    clock.seconds += FORGET_SECONDS - 1
    ask(audience, "team/a", "1m")

    # When the others have not asked for too long, then what it asks is common
    clock.seconds += 2
    assert ask(audience, "team/a", "1m") == {"1m"}


def test_those_of_another_server_do_not_count(audience: Audience) -> None:
    for number in range(10 * RARE):
        ask(audience, f"shop/{number}", "5m")
    assert ask(audience, "team/a", "1m", group="another") == {"1m"}
