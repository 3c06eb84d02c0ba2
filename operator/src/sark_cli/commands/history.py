"""`history`: what happened to a rollout."""

from __future__ import annotations

import argparse

from sark_cli.connection import connect
from sark_cli.exit_code import ExitCode
from sark_cli.explanation import share
from sark_cli.out import Grid, Out
from sark_cli.reading import read
from sark_cli.rollout import Rollout
from sark_cli.rollouts import Rollouts
from sark_cli.times import moment


def run(options: argparse.Namespace, out: Out) -> int:
    """Print the transitions the status holds, oldest first."""
    connection = connect(options)
    rollout = read(Rollouts(connection), connection.namespace, options.name)
    if out.wants_data:
        out.data([entry.to_wire() for entry in rollout.status.history])
    elif not rollout.status.history:
        out.lines(f"Nothing has happened to {rollout.name} yet.")
    else:
        out.grid(table(rollout))
    return ExitCode.DONE


def table(rollout: Rollout) -> Grid:
    """Return the transitions as rows; `explain --decision` takes their numbers."""
    return Grid(
        ("NO", "TIME", "SHARE", "REASON", "BY", "WHY"),
        tuple(
            (str(number), moment(entry.time), share(entry), entry.reason, entry.actor, entry.message)
            for number, entry in enumerate(rollout.status.history, start=1)
        ),
    )
