"""What the command tells scripts. The numbers are a contract: docs/command.md lists them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit statuses."""

    DONE = 0
    """It was done; for `status`: completed."""
    FAILED = 1
    """It could not be done."""
    USAGE = 2
    """The command line is wrong."""
    PROGRESSING = 3
    """`status`: on its way; time alone will bring it further, or the operator has yet to look at it."""
    HELD = 4
    """`status`: paused, or held by something a person must mend, as an operator that does not run."""
    REVERTED = 5
    """`status`: going back, or gone back."""
    NOT_FOUND = 6
    """There is no such rollout."""
    TIMED_OUT = 7
    """What was waited for did not come in time."""
    INTERRUPTED = 130
    """Ctrl-C."""
