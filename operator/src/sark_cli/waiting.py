"""Writing an intent and waiting for the operator to have done it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from .exit_code import ExitCode
from .failure import CommandError, StaleError, WrittenError
from .intents import Intent, Plan
from .reading import parsed, read
from .rollout import Rollout
from .rollouts import Rollouts

POLL_SECONDS: Final = 0.5
ATTEMPTS: Final = 3
"""How often an intent is planned anew when the rollout was changed between reading and writing."""


def ask(rollouts: Rollouts, rollout: Rollout, intent: Intent) -> tuple[Rollout, Plan]:
    """Write the intent as planned for `rollout`, and return the rollout after it with the plan that was written.

    Where the rollout changed meanwhile it is read again, and the intent is planned for what it is now; a verb that makes no
    sense there says so.

    Raises:
        WrittenError: it is written, but this command cannot read what came of it.
        CommandError: it makes no sense, or could not be written.
    """
    for attempt in range(1, ATTEMPTS + 1):
        plan = intent.plan(rollout)
        if not plan.change:
            return rollout, plan
        try:
            changed = rollouts.patch(rollout.namespace, rollout.short_name, plan.change)
        except StaleError:
            newer = read(rollouts, rollout.namespace, rollout.short_name)
            if attempt == ATTEMPTS or _is_another(rollout, newer, intent):
                raise
            rollout = newer
            continue
        try:
            return parsed(changed), plan
        except CommandError as error:
            raise WrittenError(f"{rollout.name}: written; {error}") from error
    raise AssertionError("unreachable: the last attempt returns or raises")


def _is_another(shown: Rollout, newer: Rollout, intent: Intent) -> bool:
    """Return whether what the person saw is not there any more: another object, or in another phase or with another spec."""
    if shown.body["metadata"]["uid"] != newer.body["metadata"]["uid"]:
        return True
    if intent.in_any_state:
        return False
    if shown.status.phase is not newer.status.phase or shown.generation != newer.generation:
        return True
    return intent.of_a_step and _place(shown) != _place(newer)


def _place(rollout: Rollout) -> object:
    """Return at which step it is, and which one it waits for."""
    step, awaited = rollout.status.step, rollout.status.awaited
    return rollout.status.attempt, step.percent if step else None, awaited.percent if awaited else None


def wait(
    rollouts: Rollouts,
    rollout: Rollout,
    met: Callable[[Rollout], bool],
    *,
    seconds: float,
    show: Callable[[Rollout], None] = lambda _: None,
) -> Rollout:
    """Return the rollout once the operator has answered to it and `met` holds.

    What was asked is written: an API server that is away meanwhile is borne with until the deadline, and then said.

    Raises:
        CommandError: TIMED_OUT after `seconds`; it says how far it has come. NOT_FOUND when it was deleted.
    """
    deadline = time.monotonic() + seconds
    blip = ""
    while True:
        show(rollout)
        if rollout.answered and met(rollout):
            return rollout
        if time.monotonic() > deadline:
            raise CommandError(late(rollout, seconds, blip), ExitCode.TIMED_OUT)
        time.sleep(POLL_SECONDS)
        try:
            newer, blip = read(rollouts, rollout.namespace, rollout.short_name), ""
        except CommandError as error:
            if error.code is ExitCode.NOT_FOUND:
                raise CommandError(f"{rollout.name}: written; {error}", error.code) from error
            blip = str(error)
            continue
        if newer.body["metadata"]["uid"] != rollout.body["metadata"]["uid"]:
            raise CommandError(f"{rollout.name}: written; it was deleted, and another of its name created", ExitCode.NOT_FOUND)
        rollout = newer


def late(rollout: Rollout, seconds: float, blip: str = "") -> str:
    """Return what is said of a rollout that was written and is not done in time; `blip` is why it could not be read last."""
    status = rollout.status
    if blip:
        return f"{rollout.name}: written; not seen to be done within {seconds:g} s: {blip}"
    if not rollout.answered:
        return (
            f"{rollout.name}: it is written, but the operator has not answered within {seconds:g} s; "
            "it will follow once it runs"
        )
    return f"{rollout.name}: written; not done within {seconds:g} s; it is {status.phase} ({status.reason}): {status.message}"
