from __future__ import annotations

import pytest

from sark_operator.shell.audience import COMMONEST, FORGET_SECONDS, RARE, SEVERAL, Audience


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


@pytest.fixture
def crowd(audience: Audience) -> None:
    """As many topics that some have as are common whoever has them, and so many rollouts that what few have is rare."""
    for number in range(COMMONEST):
        for one in range(SEVERAL):
            ask(audience, f"shop/{number}-{one}", f"{number + 1}m")
    for number in range(SEVERAL * RARE):
        ask(audience, f"shop/{number}", "5m")


@pytest.mark.usefixtures("crowd")
def test_what_several_ask_is_common_and_what_few_ask_is_not(audience: Audience) -> None:
    # When one asks two things, then only what the others ask too is common
    assert ask(audience, "evil/0", "5m", "301s") == {"5m"}
    # And with several of its kind the second is common too
    for number in range(1, SEVERAL - 1):
        assert not ask(audience, f"evil/{number}", "301s")
    assert ask(audience, "evil/more", "301s") == {"301s"}


def test_a_few_rollouts_share_whatever_they_ask(audience: Audience) -> None:
    assert all(ask(audience, f"shop/{number}", f"{number}m") for number in range(RARE))
    assert not ask(audience, f"shop/{RARE}", "99m")


def test_the_commonest_are_common_however_many_rollouts_there_are(audience: Audience) -> None:
    # Given a fleet, and somebody who makes rollouts in any number under names that never ask again
    for number in range(3):
        ask(audience, f"shop/{number}", "5m")
    for number in range(100 * RARE):
        ask(audience, f"evil/{number}", f"{number}s")

    # Then what the fleet asks is still worth an answer about all
    assert ask(audience, "shop/0", "5m") == {"5m"}


def test_a_fleet_in_many_windows_shares_each_of_them(audience: Audience) -> None:
    asked = [(f"shop/{number}", f"{number % 40}s") for number in range(1000)]
    for rollout, topic in asked:
        ask(audience, rollout, topic)
    assert all(ask(audience, rollout, topic) for rollout, topic in asked)


def test_rollouts_with_topics_of_their_own_make_few_of_them_common(audience: Audience) -> None:
    asked = [(f"shop/{number}", f"{number}s") for number in range(1000)]
    for rollout, topic in asked:
        ask(audience, rollout, topic)
    assert sum(bool(ask(audience, rollout, topic)) for rollout, topic in asked) == COMMONEST


@pytest.mark.usefixtures("crowd")
def test_a_rollout_counts_for_what_it_asked_last(audience: Audience) -> None:
    # Given a topic that just enough rollouts have, when one of them has another by now
    for number in range(SEVERAL):
        ask(audience, f"team/{number}", "90s")
    assert ask(audience, "team/0", "90s") == {"90s"}
    ask(audience, "team/1", "91s")

    # Then it is rare
    assert ask(audience, "team/0", "90s") == set()


@pytest.mark.usefixtures("crowd")
def test_those_that_have_gone_are_forgotten(audience: Audience, clock: HandClock) -> None:
    # Given many rollouts, of which one still asks after a while
    assert not ask(audience, "team/a", "90s")
    clock.seconds += FORGET_SECONDS - 1
    ask(audience, "team/a", "90s")

    # When the others have not asked for too long, then what it asks is common
    clock.seconds += 2
    assert ask(audience, "team/a", "90s") == {"90s"}


def test_one_that_goes_on_asking_is_remembered(audience: Audience, clock: HandClock) -> None:
    ask(audience, "shop/0", "5m")
    clock.seconds += FORGET_SECONDS - 1
    ask(audience, "shop/0", "5m")
    clock.seconds += 2
    ask(audience, "shop/1", "5m")
    assert audience._groups["prometheus"].members.keys() == {"shop/0", "shop/1"}


def test_nothing_is_kept_of_what_nobody_asks_any_more(audience: Audience) -> None:
    for window in ("5m", "6m", "7m"):
        ask(audience, "shop/0", window)
    assert audience._groups["prometheus"].having == {"7m": 1}


def test_those_of_another_server_do_not_count(audience: Audience) -> None:
    for number in range(10 * RARE):
        ask(audience, f"shop/{number}", "5m")
    assert ask(audience, "team/a", "1m", group="another") == {"1m"}
