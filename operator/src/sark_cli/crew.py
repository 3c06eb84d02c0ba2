"""Threads that work through a list together. Ctrl-C ends the wait for them at once: they hold up neither it nor the process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Thread
from typing import TypeVar

_Item = TypeVar("_Item")


def work_through(items: Sequence[_Item], work: Callable[[_Item], None], at_once: int) -> None:
    """Call `work`, which must not raise, with every item, so many at a time, and return when all is done.

    On KeyboardInterrupt nothing more is begun; what has begun goes on while the process lives.
    """
    left = deque(items)

    def worker() -> None:
        while True:
            try:
                item = left.popleft()
            except IndexError:
                return
            work(item)

    threads = [Thread(target=worker, daemon=True) for _ in range(min(at_once, len(items)))]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        left.clear()
        raise
