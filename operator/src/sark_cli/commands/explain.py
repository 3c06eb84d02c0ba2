"""`explain`: every decision in sentences, with the numbers it rests on."""

from __future__ import annotations

import argparse
from typing import Any

from sark_cli.connection import connect
from sark_cli.exit_code import ExitCode
from sark_cli.explanation import decision, present
from sark_cli.failure import CommandError
from sark_cli.out import Out
from sark_cli.reading import read
from sark_cli.rollout import Rollout
from sark_cli.rollouts import Rollouts


def run(options: argparse.Namespace, out: Out) -> int:
    """Print why the rollout is where it is, or one decision."""
    connection = connect(options)
    rollout = read(Rollouts(connection), connection.namespace, options.name)
    number: int | None = options.decision
    total = len(rollout.status.history)
    if number is not None and number > total:
        known = f"it has {total}" if total else "nothing has been decided yet"
        raise CommandError(f"{rollout.name} has no decision {number}: {known}; see `history`")
    if out.wants_data:
        out.data(data(rollout, number))
    else:
        out.lines(*text(rollout, number))
    return ExitCode.DONE


def text(rollout: Rollout, number: int | None = None) -> list[str]:
    """Return the explanation as lines: of one decision, or of where the rollout is and of all decisions."""
    status = rollout.status
    entries = list(enumerate(status.history, start=1))
    if number is not None:
        return decision(*entries[number - 1])
    lines = [f"{rollout.name} is {status.phase} ({status.reason or 'no reason yet'}): {status.message or 'no status yet'}"]
    if status.criteria:
        resting = status.step is None
        heading = "What the criteria said when it was last judged" if resting else "What the criteria say now"
        lines += ["", heading, *present(rollout)]
    for position, entry in entries:
        lines += ["", *decision(position, entry)]
    return lines


def data(rollout: Rollout, number: int | None) -> Any:
    """Return the same for programs."""
    status = rollout.status.to_wire()
    history: Any = status.get("history", [])
    if number is not None:
        return history[number - 1]
    members = ("phase", "reason", "message", "criteria", "revert", "history")
    return {"name": rollout.name} | {member: status[member] for member in members if member in status}
