"""Who reads an answer first."""

from __future__ import annotations

import threading
import time

from sark_operator.shell.desk import MOST_IN_A_ROW, Desk
from sark_operator.shell.precedence import Precedence

SERVER = "http://prometheus:9090"
_SECONDS = 20.0
SIGN, AWAITED, RENEWED = Precedence


class Office:
    """A desk with threads in front of it, in an order that is known."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.order: list[str] = []
        self._threads: list[threading.Thread] = []

    def come(
        self, name: str, number: int, server: str = SERVER, precedence: Precedence = AWAITED, *, seconds: float = 0.0
    ) -> None:
        """Let so many come to the desk, say so, read for a while, and leave."""

        def read() -> None:
            if self.desk.enter(time.monotonic() + _SECONDS, server, precedence):
                self.order.append(name)
                time.sleep(seconds)
                self.desk.leave()

        for _ in range(number):
            self._threads.append(threading.Thread(target=read))
            self._threads[-1].start()
            self._until_all_wait()

    def open(self) -> None:
        """Let the desk become free, and wait until all have been there."""
        self.desk.leave()
        for thread in self._threads:
            thread.join(_SECONDS)
            assert not thread.is_alive()

    def _until_all_wait(self) -> None:
        deadline = time.monotonic() + _SECONDS
        while len(self.desk._changed._waiters) < len(self._threads):  # type: ignore[attr-defined]
            assert time.monotonic() < deadline
            time.sleep(0.001)


def test_answers_that_are_awaited_are_read_first() -> None:
    # Given that somebody reads, and many want to
    office = Office()
    assert office.desk.enter(time.monotonic() + _SECONDS, SERVER, RENEWED)
    office.come("renewed", 4, precedence=RENEWED)
    office.come("awaited", 4, precedence=AWAITED)

    # When the desk becomes free
    office.open()

    # Then those who are awaited come first, and all are read
    assert office.order == ["awaited"] * 4 + ["renewed"] * 4


def test_answers_that_may_show_a_breach_are_read_before_all_others() -> None:
    office = Office()
    assert office.desk.enter(time.monotonic() + _SECONDS, SERVER, RENEWED)
    office.come("renewed", 4, precedence=RENEWED)
    office.come("awaited", 4, precedence=AWAITED)
    office.come("sign", 4, precedence=SIGN)
    office.open()
    assert office.order == ["sign"] * 4 + ["awaited"] * 4 + ["renewed"] * 4


def test_nothing_is_forgotten_where_there_is_always_a_sign_to_read() -> None:
    # Given many signs, and one answer of each other precedence
    office = Office()
    assert office.desk.enter(time.monotonic() + _SECONDS, SERVER, AWAITED)
    office.come("sign", 4 * MOST_IN_A_ROW, precedence=SIGN)
    office.come("awaited", 1, precedence=AWAITED)
    office.come("renewed", 1, precedence=RENEWED)

    # When the desk becomes free, then each of these comes when it has been passed over often
    office.open()
    assert {office.order.index("awaited"), office.order.index("renewed")} == {MOST_IN_A_ROW, MOST_IN_A_ROW + 1}


def test_those_of_one_kind_are_read_in_the_order_in_which_they_came() -> None:
    office = Office()
    assert office.desk.enter(time.monotonic() + _SECONDS, SERVER, AWAITED)
    names = [str(number) for number in range(6)]
    for name in names:
        office.come(name, 1, precedence=RENEWED)
    office.open()
    assert office.order == names


def test_answers_nobody_waits_for_are_read_all_the_same() -> None:
    office = Office()
    assert office.desk.enter(time.monotonic() + _SECONDS, SERVER, RENEWED)
    office.come("awaited", 3 * MOST_IN_A_ROW, precedence=AWAITED)
    office.come("renewed", 1, precedence=RENEWED)
    office.open()
    assert office.order.index("renewed") == MOST_IN_A_ROW
    assert len(office.order) == 3 * MOST_IN_A_ROW + 1


def test_a_server_that_takes_long_to_read_has_only_its_own_answers_wait() -> None:
    # Given many answers of a server that each take long to read, one of which has been read
    office = Office()
    assert office.desk.enter(time.monotonic() + _SECONDS, "large", AWAITED)
    office.come("large", 4, "large", seconds=0.1)
    time.sleep(0.1)

    # When many small ones of another come, also such that nobody waits for
    office.come("small", 4, "small")
    office.come("small", 4, "small", precedence=RENEWED)
    office.open()

    # Then all of these are read at once, and the others afterwards
    assert office.order == ["small"] * 8 + ["large"] * 4


def test_a_server_that_was_away_is_owed_nothing() -> None:
    # Given a server that has read for a while, and goes on
    desk, done = Desk(), threading.Event()
    assert desk.enter(time.monotonic() + _SECONDS, "busy", AWAITED)
    going_on = threading.Thread(target=lambda: desk.enter(time.monotonic() + _SECONDS, "busy", AWAITED) and done.set())
    going_on.start()
    time.sleep(0.2)
    desk.leave()
    assert done.wait(_SECONDS)

    # When another comes, then it is not taken to have had nothing
    assert not desk.enter(time.monotonic() + 0.01, "back", AWAITED)
    assert desk._lines["back"].had >= 0.2
    desk.leave()
    going_on.join()


def test_servers_that_are_gone_are_forgotten() -> None:
    desk = Desk()
    for number in range(100):
        assert desk.enter(time.monotonic() + _SECONDS, f"http://{number}", AWAITED)
        desk.leave()
    assert not desk._lines


def test_who_has_waited_until_the_deadline_goes_without_holding_up_others() -> None:
    desk = Desk()
    assert desk.enter(time.monotonic() + _SECONDS, SERVER, AWAITED)
    assert not desk.enter(time.monotonic() + 0.01, SERVER, RENEWED)
    assert not desk.enter(time.monotonic() - 1.0, SERVER, AWAITED)
    desk.leave()
    for precedence in Precedence:
        assert desk.enter(time.monotonic() + _SECONDS, SERVER, precedence)
        desk.leave()
