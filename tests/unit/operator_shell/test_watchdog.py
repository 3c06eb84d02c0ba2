from __future__ import annotations

import threading
import time

from sark_operator.shell.watchdog import Watchdog


class Dog:
    """A watchdog whose time is told by the test."""

    def __init__(self, left: float) -> None:
        self.left = left
        self.bitten = threading.Event()
        self.asked = threading.Semaphore(0)
        self.watchdog = Watchdog(self._tell, self.bitten.set)

    def _tell(self) -> float:
        self.asked.release()
        return self.left


def test_it_bites_though_the_main_thread_is_stuck() -> None:
    dog = Dog(left=0.0)
    dog.watchdog.start()

    end = time.monotonic() + 5
    while not dog.bitten.is_set() and time.monotonic() < end:
        pass  # as a loop that never yields

    assert dog.bitten.is_set()


def test_it_does_not_bite_while_time_is_left() -> None:
    # Given a watchdog that has looked twice and found time left
    dog = Dog(left=0.01)
    dog.watchdog.start()
    for _ in range(3):
        assert dog.asked.acquire(timeout=5)

    # Then it has not bitten until the time is up
    assert not dog.bitten.is_set()
    dog.left = 0.0
    assert dog.bitten.wait(5)


def test_it_never_bites_once_stopped() -> None:
    dog = Dog(left=0.1)
    dog.watchdog.start()
    dog.watchdog.stop()
    dog.watchdog.stop()
    dog.left = 0.0

    assert not dog.bitten.wait(0.5)
