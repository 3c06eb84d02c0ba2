"""The end of an event loop and of a process, which no thread holds up: what that still reads or compiles is wanted no more."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, NoReturn


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


UNWRITTEN: Final = 120
"""Python's own status for output that could not be written."""


def leave(status: int) -> NoReturn:
    """End the process now. By itself Python waits for every thread first.

    Where all was well but for what stands on standard output, which could not be written, the status is `UNWRITTEN`.
    """
    # What libraries have registered, as the one that wrote a kubeconfig's private key into a file; logging is among them.
    atexit._run_exitfuncs()  # noqa: SLF001 - the end skips it otherwise
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        status = status or UNWRITTEN
    with suppress(OSError, ValueError):  # whoever read it may be gone
        sys.stderr.flush()
    os._exit(status)
