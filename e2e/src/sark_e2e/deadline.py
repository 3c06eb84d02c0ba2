"""Waiting for something outside with an end to the patience."""

from __future__ import annotations

import time
from collections.abc import Callable

_POLL_SECONDS = 0.05


def eventually(condition: Callable[[], bool], *, what: str, seconds: float) -> None:
    """Wait until `condition` holds. Raises TimeoutError, which names `what`, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(_POLL_SECONDS)
