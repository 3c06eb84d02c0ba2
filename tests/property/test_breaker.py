"""The circuit breaker under every order of calls, ends and pauses."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sark_sidecar.breaker import Breaker, BreakerRule, BreakerState, Permit

RULE = BreakerRule(failures=3, slow_after=1.0, pause=0.5, longest_pause=4.0)

steps = st.one_of(
    st.tuples(st.just("admit"), st.just(0)),
    st.tuples(st.sampled_from(["good", "bad", "abandoned"]), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.integers(1, 3000)),
)


@dataclass
class World:
    """A breaker, what time it is, and the calls under way."""

    chance: float
    now: float = 100.0
    calls: list[Permit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.breaker = Breaker(RULE, lambda: self.chance)

    def take(self, step: tuple[str, int]) -> None:
        what, amount = step
        if what == "wait":
            self.now += amount / 1000
            self.breaker.look(self.now)
        elif what == "admit":
            if (permit := self.breaker.admit(self.now)) is not None:
                self.calls.append(permit)
        elif self.calls:
            permit = self.calls.pop(amount % len(self.calls))
            if what == "abandoned":
                self.breaker.abandoned(permit, self.now)
            else:
                self.breaker.ended(permit, self.now, failed=what == "bad")

    def tries(self) -> int:
        return sum(permit.is_try and self.now - permit.began <= RULE.slow_after for permit in self.calls)


worlds = st.builds(World, st.floats(0, 1))


@given(worlds, st.lists(steps, max_size=80))
def test_there_is_never_more_than_one_try_at_a_time(world: World, history: list[tuple[str, int]]):
    for step in history:
        world.take(step)
        assert world.tries() <= 1
        assert world.breaker.under_way <= len(world.calls)


@given(worlds, st.lists(steps, max_size=80))
def test_while_open_nothing_is_admitted_and_it_is_never_open_for_long(world: World, history: list[tuple[str, int]]):
    for step in history:
        world.take(step)
        if world.breaker.state is BreakerState.OPEN:
            left = world.breaker.seconds_to_try(world.now)
            assert 0 < left <= RULE.longest_pause
            assert world.breaker.admit(world.now) is None
        if world.breaker.state is BreakerState.CLOSED:
            assert world.breaker.seconds_to_try(world.now) == 0


@given(worlds, st.lists(steps, max_size=80))
def test_whatever_was_before_a_server_that_works_is_used_again_within_one_pause_and_one_try(
    world: World, history: list[tuple[str, int]]
):
    # Given any history, and a server that works from now on
    for step in history:
        world.take(step)
    worked_at = world.now
    # When somebody asks every 100 ms, and each call takes 10 ms
    while world.breaker.state is not BreakerState.CLOSED:
        permit = world.breaker.admit(world.now)
        world.now += 0.01
        if permit is not None:
            world.breaker.ended(permit, world.now, failed=False)
        world.now += 0.09
        # Then a try that still hangs from before, one pause and one more try are the worst
        assert world.now - worked_at <= RULE.slow_after + RULE.longest_pause + 0.3
    assert world.breaker.admit(world.now) is not None


@given(worlds, st.lists(st.integers(0, 1000), max_size=100))
def test_a_server_that_works_is_never_left_alone(world: World, milliseconds: list[int]):
    for each in milliseconds:
        permit = world.breaker.admit(world.now)
        assert permit is not None
        world.now += each / 1000
        world.breaker.ended(permit, permit.began + min(each / 1000, RULE.slow_after), failed=False)
        assert world.breaker.state is BreakerState.CLOSED
    assert (world.breaker.opened, world.breaker.refused) == (0, 0)


@given(worlds, st.integers(RULE.failures, 50))
def test_calls_that_hang_open_it_before_they_end(world: World, calls: int):
    for _ in range(calls):
        assert world.breaker.admit(world.now) is not None
    world.breaker.look(world.now + RULE.slow_after)
    assert world.breaker.state is BreakerState.CLOSED
    world.breaker.look(world.now + RULE.slow_after + 0.001)
    assert world.breaker.state is BreakerState.OPEN
    assert world.breaker.opened == 1


@given(worlds, st.integers(1, 30))
def test_calls_from_before_it_closed_do_not_open_it_again(world: World, late: int):
    # Given calls under way while the breaker opens and closes
    old = [permit for _ in range(late) if (permit := world.breaker.admit(world.now)) is not None]
    for _ in range(RULE.failures):
        permit = world.breaker.admit(world.now)
        assert permit is not None
        world.breaker.ended(permit, world.now, failed=True)
    world.now += 0.6
    permit = world.breaker.admit(world.now)
    assert permit is not None
    assert permit.is_try
    world.breaker.ended(permit, world.now, failed=False)
    # When they fail in the end
    for each in old:
        world.breaker.ended(each, world.now, failed=True)
    assert world.breaker.state is BreakerState.CLOSED


def test_half_of_the_last_twenty_opens_it_too():
    world = World(0.0)
    for number in range(20):
        assert world.breaker.state is BreakerState.CLOSED
        permit = world.breaker.admit(world.now)
        assert permit is not None
        world.breaker.ended(permit, world.now, failed=number % 2 == 1)
    assert world.breaker.state is BreakerState.OPEN


def test_failures_long_ago_do_not_count():
    world = World(0.0)
    for number in range(200):
        permit = world.breaker.admit(world.now)
        assert permit is not None
        world.breaker.ended(permit, world.now, failed=number % 2 == 1)
        world.now += 2.0
    assert world.breaker.state is BreakerState.CLOSED


def test_the_pause_doubles_up_to_the_longest_and_chance_takes_off_up_to_half():
    for chance, share in ((1.0, 1.0), (0.0, 0.5)):
        world = World(chance)
        pauses = []
        for _ in range(RULE.failures):
            permit = world.breaker.admit(world.now)
            assert permit is not None
            world.breaker.ended(permit, world.now, failed=True)
        for _ in range(5):
            pauses.append(world.breaker.seconds_to_try(world.now))
            world.now += pauses[-1]
            permit = world.breaker.admit(world.now)
            assert permit is not None
            world.breaker.ended(permit, world.now, failed=True)
        assert pauses == [pytest.approx(share * pause, abs=1e-6) for pause in (0.5, 1.0, 2.0, 4.0, 4.0)]
