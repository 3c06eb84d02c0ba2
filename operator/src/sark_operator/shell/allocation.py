"""How the C library hands out memory: few places to take it from, and large pieces given back when they are done with.

Answers of Prometheus are megabytes, read in many threads. By default glibc keeps up to eight places for each core, one for
each thread that is busy, and after the first large piece it keeps all others of that size for later: what a process once
needed for a moment it has for ever. What is free between two pieces in use it never gives back by itself: with hundreds of
statuses and answers that come and go that is a quarter of what it has.
"""

from __future__ import annotations

import asyncio
import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
"""Numbers of glibc's malloc.h."""
LARGE_BYTES: Final = 512 * 1024
"""Above the quarter of a mebibyte into which TLS reads whatever has come: each of those would be taken from the system anew."""
PLACES: Final = 2
TIDY_SECONDS: Final = 30.0
"""How often free pages are given back: some milliseconds of work with a thousand rollouts, and as much to take them again."""


def give_back_large_pieces() -> bool:
    """Set it up for this process, before it has started a thread; return whether the C library knows of it."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False  # musl and macOS have no such settings, and need none
    known = [mallopt(_MMAP_THRESHOLD, LARGE_BYTES), mallopt(_TRIM_THRESHOLD, LARGE_BYTES), mallopt(_ARENA_MAX, PLACES)]
    return all(known)


async def keep_tidy() -> None:
    """Give back free pages every now and then, until cancelled; end at once where the C library cannot."""
    known = True
    while known:
        await asyncio.sleep(TIDY_SECONDS)
        known = give_back_free_pages()


def give_back_free_pages() -> bool:
    """Give back pages in which nothing is in use, wherever they lie; return whether the C library knows how to."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return False
    trim(ctypes.c_size_t(0))
    return True
