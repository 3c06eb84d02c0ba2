"""A message of Alertmanager is answered from Prometheus as it is after the message, however soon it follows another one."""

from __future__ import annotations

from collections.abc import Callable

from sark_operator.shell.alarm import Alarm


class Answer:
    """Stands for the shared answer: it may be asked for anew once a second, and notes as of when each wake saw it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.forgot_at = float("-inf")
        self.seen: list[tuple[str, float]] = []
        """Which rollout was woken, and when the answer it reads was asked for."""
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def forget(self) -> float:
        if self.now - self.forgot_at < 1:
            return self.forgot_at + 1 - self.now
        self.forgot_at = self.now
        return 0.0

    def wake(self, uid: str) -> None:
        self.seen.append((uid, self.forgot_at))

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self.timers.append((self.now + seconds, call))

    def passes(self, seconds: float) -> None:
        """Let time go by, and the timers that are due ring."""
        self.now += seconds
        due = [call for at, call in self.timers if at <= self.now]
        self.timers = [(at, call) for at, call in self.timers if at > self.now]
        for call in due:
            call()


def test_the_first_message_is_looked_at_at_once_and_nothing_comes_after_it() -> None:
    answer = Answer()
    Alarm(answer.forget, answer.wake, answer.later).ring("a")

    assert answer.seen == [("a", 0.0)]
    assert not answer.timers


def test_a_message_right_after_another_is_looked_at_again_with_a_newer_answer() -> None:
    # Given a message, and half a second later one about another rollout
    answer = Answer()
    alarm = Alarm(answer.forget, answer.wake, answer.later)
    alarm.ring("a")
    answer.passes(0.5)
    alarm.ring("b")
    assert answer.seen == [("a", 0.0), ("b", 0.0)], "what b saw was asked for before its message"

    # When the answer may be asked for anew, then it is, for the one that saw an old one
    answer.passes(0.5)
    assert answer.seen[2:] == [("b", 1.0)]
    assert not answer.timers


def test_many_messages_at_once_are_one_more_question() -> None:
    answer = Answer()
    alarm = Alarm(answer.forget, answer.wake, answer.later)
    for _ in range(100):
        for uid in "abc":
            alarm.ring(uid)
    assert len(answer.timers) == 1

    woken = len(answer.seen)
    answer.passes(1)
    assert {uid for uid, _ in answer.seen[woken:]} == {"a", "b", "c"}
    assert {asked for _, asked in answer.seen[woken:]} == {1.0}
    assert not answer.timers


def test_a_timer_that_comes_too_early_is_set_again() -> None:
    # Given a clock of timers that is ahead of the other one
    answer = Answer()
    alarm = Alarm(answer.forget, answer.wake, answer.later)
    alarm.ring("a")
    alarm.ring("a")
    (_, early), answer.timers = answer.timers[0], []
    answer.now = 0.999
    early()
    assert answer.seen[-1] == ("a", 0.0)

    answer.passes(0.001)
    assert answer.seen[-1] == ("a", 1.0)
