"""Writing an intent and waiting for the operator to have done it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from .exit_code import ExitCode
from .failure import CommandError, StaleError
from .intents import Intent
from .reading import parsed, read
from .rollout import Rollout
from .rollouts import Rollouts

POLL_SECONDS: Final = 0.5
ATTEMPTS: Final = 3
"""How often an intent is planned anew when the rollout was changed between reading and writing."""


def ask(rollouts: Rollouts, rollout: Rollout, intent: Intent) -> tuple[Rollout, str]:
    """Write the intent as planned for `rollout`, and return the rollout after it with what was asked.

    Where the rollout changed meanwhile it is read again, and the intent is planned for what it is now; a verb that makes no
    sense there says so.

    Raises:
        CommandError: it makes no sense, or could not be written.
    """
    for attempt in range(1, ATTEMPTS + 1):
        plan = intent.plan(rollout)
        if not plan.change:
            return rollout, plan.said
        try:
            return parsed(rollouts.patch(rollout.namespace, rollout.short_name, plan.change)), plan.said
        except StaleError:
            newer = read(rollouts, rollout.namespace, rollout.short_name)
            if attempt == ATTEMPTS or _is_another(rollout, newer, in_any_state=intent.in_any_state):
                raise
            rollout = newer
    raise AssertionError("unreachable: the last attempt returns or raises")


def _is_another(shown: Rollout, newer: Rollout, *, in_any_state: bool) -> bool:
    """Return whether what the person saw is not there any more: another object, or in another phase or with another spec."""
    if shown.body["metadata"]["uid"] != newer.body["metadata"]["uid"]:
        return True
    return not in_any_state and (shown.status.phase is not newer.status.phase or shown.generation != newer.generation)


def wait(
    rollouts: Rollouts,
    rollout: Rollout,
    met: Callable[[Rollout], bool],
    *,
    seconds: float,
    show: Callable[[Rollout], None] = lambda _: None,
) -> Rollout:
    """Return the rollout once the operator has answered to it and `met` holds.

    Raises:
        CommandError: TIMED_OUT after `seconds`; it says how far it has come. NOT_FOUND when it was deleted.
    """
    deadline = time.monotonic() + seconds
    while True:
        show(rollout)
        if rollout.answered and met(rollout):
            return rollout
        if time.monotonic() > deadline:
            raise CommandError(_late(rollout, seconds), ExitCode.TIMED_OUT)
        time.sleep(POLL_SECONDS)
        rollout = read(rollouts, rollout.namespace, rollout.short_name)


def _late(rollout: Rollout, seconds: float) -> str:
    status = rollout.status
    if not rollout.answered:
        return (
            f"{rollout.name}: it is written, but the operator has not answered within {seconds:g} s; "
            "it will follow once it runs"
        )
    return f"{rollout.name}: not done within {seconds:g} s; it is {status.phase} ({status.reason}): {status.message}"
