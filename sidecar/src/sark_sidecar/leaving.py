"""The end of an event loop and of a process, which no thread holds up: what that still reads or compiles is wanted no more."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NoReturn


class Helpers(ThreadPoolExecutor):
    """An event loop's threads. Whoever shuts them down does not wait for what they are at: it may take minutes, or hang."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - as it is there
        """Begin nothing more, and return at once."""
        super().shutdown(wait=False, cancel_futures=True)


def run_to_end(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` as `asyncio.run` does, but return when it and its tasks have ended, whatever their threads still do."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(Helpers(thread_name_prefix="asyncio"))
        runner.run(main)


def leave(status: int) -> NoReturn:
    """End the process now. By itself Python waits for every thread first."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # whoever read it may be gone
            stream.flush()
    os._exit(status)
