"""What Python is told before it works for a thousand rollouts, and at the end.

An answer about so many is some hundred thousand objects that all live until it has been read. By default Python looks for
garbage in circles after every 700 new ones, and through all of them again and again while they become more, and finds nothing:
reading such an answer took three to six times as long.

It is read in a thread, and the loop that evaluates needs a moment of the interpreter each time something has come. By default
it waits five milliseconds for each of them.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from contextlib import suppress
from typing import Final, NoReturn

YOUNG: Final = 10_000
"""New objects after which it looks among them."""
_SECOND: Final = 20
_ALL: Final = 50
SWITCH_SECONDS: Final = 0.001
"""How long a thread may go on while another one waits."""


def prepare() -> None:
    """Set it up for this process, once everything is loaded: that is never garbage, and is not looked at any more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, _SECOND, _ALL)
    sys.setswitchinterval(SWITCH_SECONDS)


def leave(status: int) -> NoReturn:
    """End the process now.

    By itself Python waits for every thread first, and one that connects to a server which does not answer ends at its deadline,
    long after the Lease has been given back. Nothing it could still bring is wanted.
    """
    # What libraries have registered, as the one that wrote a kubeconfig's private key into a file; logging is among them.
    atexit._run_exitfuncs()  # noqa: SLF001 - the end skips it otherwise
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # whoever read it may be gone
            stream.flush()
    os._exit(status)
