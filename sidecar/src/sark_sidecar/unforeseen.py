"""Errors that nobody foresaw, where something from outside is looked at again and again.

What a whole fleet reads in the same second must not end all of it. So each look at something from outside takes such an error
for a look that failed: what is in force stays. It is a fault of ours all the same, and is logged with its stack.
"""

from __future__ import annotations

_MAX_MESSAGE = 300


def unforeseen(error: Exception) -> str:
    """Return a sentence about `error`; whoever logs it adds the stack."""
    message = str(error)[:_MAX_MESSAGE]
    return f"a fault of the sidecar, see its log: {type(error).__name__}{': ' if message else ''}{message}"
