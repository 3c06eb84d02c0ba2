"""A deadline for a call as a whole. The client's own are for each part of an answer, and one that drips has no end for them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread
from typing import TypeVar

_Result = TypeVar("_Result")


class EndlessError(Exception):
    """The call has not ended in time. What it asked for may still be done."""


def within(seconds: float, call: Callable[[], _Result]) -> _Result:
    """Return what `call` returns, or raise what it raises.

    Ctrl-C ends the wait at once, and a call that is given up holds up no end of the process.

    Raises:
        EndlessError: it has not ended after so many seconds.
    """
    future: Future[_Result] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised where the call is waited for
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    if wait((future,), seconds).not_done:
        raise EndlessError
    return future.result()
