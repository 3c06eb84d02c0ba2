"""Who reads an answer first."""

from __future__ import annotations

import threading
import time

from sark_operator.shell.desk import MOST_IN_A_ROW, Desk

_SECONDS = 20.0


class Office:
    """A desk with threads in front of it, in an order that is known."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.order: list[str] = []
        self._threads: list[threading.Thread] = []

    def come(self, name: str, number: int, *, awaited: bool) -> None:
        """Let so many come to the desk, say so, and leave."""

        def read() -> None:
            if self.desk.enter(time.monotonic() + _SECONDS, awaited=awaited):
                self.order.append(name)
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
    assert office.desk.enter(time.monotonic() + _SECONDS, awaited=False)
    office.come("renewed", 4, awaited=False)
    office.come("awaited", 4, awaited=True)

    # When the desk becomes free
    office.open()

    # Then those who are awaited come first, and all are read
    assert office.order == ["awaited"] * 4 + ["renewed"] * 4


def test_those_of_one_kind_are_read_in_the_order_in_which_they_came() -> None:
    office = Office()
    assert office.desk.enter(time.monotonic() + _SECONDS, awaited=True)
    names = [str(number) for number in range(6)]
    for name in names:
        office.come(name, 1, awaited=False)
    office.open()
    assert office.order == names


def test_answers_nobody_waits_for_are_read_all_the_same() -> None:
    office = Office()
    assert office.desk.enter(time.monotonic() + _SECONDS, awaited=False)
    office.come("awaited", 3 * MOST_IN_A_ROW, awaited=True)
    office.come("renewed", 1, awaited=False)
    office.open()
    assert office.order.index("renewed") == MOST_IN_A_ROW
    assert len(office.order) == 3 * MOST_IN_A_ROW + 1


def test_who_has_waited_until_the_deadline_goes_without_holding_up_others() -> None:
    desk = Desk()
    assert desk.enter(time.monotonic() + _SECONDS, awaited=True)
    assert not desk.enter(time.monotonic() + 0.01, awaited=False)
    assert not desk.enter(time.monotonic() - 1.0, awaited=True)
    desk.leave()
    for awaited in (False, True):
        assert desk.enter(time.monotonic() + _SECONDS, awaited=awaited)
        desk.leave()
