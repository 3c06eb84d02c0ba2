"""`explain`: every decision in sentences, with the numbers it rests on."""

from __future__ import annotations

import argparse
from typing import Any

from sark_cli.chain import from_cluster
from sark_cli.connection import Connection, connect
from sark_cli.exit_code import ExitCode
from sark_cli.explanation import decision, numbered, present
from sark_cli.failure import CommandError
from sark_cli.out import Out
from sark_cli.reading import read
from sark_cli.record import recorded
from sark_cli.rollout import Rollout
from sark_cli.rollouts import Rollouts


def run(options: argparse.Namespace, out: Out) -> int:
    """Print why the rollout is where it is, or one decision."""
    connection = connect(options)
    rollout = read(Rollouts(connection), connection.namespace, options.name)
    number: int | None = options.decision
    if number is not None and rollout.status.ledger.records:
        return _one(connection, rollout, number, out)
    if number is not None and number not in dict(numbered(rollout.status.history)):
        raise _unknown(rollout, number)
    if out.wants_data:
        out.data(data(rollout, number))
    else:
        out.lines(*text(rollout, number))
    return ExitCode.DONE


def _one(connection: Connection, rollout: Rollout, number: int, out: Out) -> int:
    """Print one decision from its evidence record; from the status where the ConfigMaps may not be read or lack it."""
    entry = dict(numbered(rollout.status.history)).get(number)
    try:
        record = from_cluster(connection, rollout).record(number)
    except CommandError:
        if entry is None:
            raise
        record = None
    if record is None and entry is None:
        raise _unknown(rollout, number)
    if out.wants_data:
        out.data(record.to_wire() if record else data(rollout, number))
    else:
        out.lines(*(recorded(record) if record else text(rollout, number)))
    return ExitCode.DONE


def _unknown(rollout: Rollout, number: int) -> CommandError:
    total, first = rollout.status.ledger.records or len(rollout.status.history), rollout.status.ledger.kept_from
    if not total:
        known = "nothing has been decided yet"
    elif number < first:
        known = f"those before {first} have been given up"
    else:
        known = f"it has {total}" if number > total else "its record is missing; see `history --verify`"
    return CommandError(f"{rollout.name} has no decision {number}: {known}; see `history --all`")


def text(rollout: Rollout, number: int | None = None) -> list[str]:
    """Return the explanation as lines: of one decision, or of where the rollout is and of all decisions."""
    status = rollout.status
    entries = numbered(status.history)
    if number is not None:
        return decision(number, dict(entries)[number])
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
        return next(wire for wire, (known, _) in zip(history, numbered(rollout.status.history), strict=True) if known == number)
    members = ("phase", "reason", "message", "criteria", "revert", "history")
    return {"name": rollout.name} | {member: status[member] for member in members if member in status}
