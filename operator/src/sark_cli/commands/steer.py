"""`pause`, `resume`, `retry`: one rollout is asked for something, and the operator's answer is waited for."""

from __future__ import annotations

import argparse

from sark_cli.connection import connect
from sark_cli.exit_code import ExitCode
from sark_cli.intents import BY_VERB
from sark_cli.out import Out
from sark_cli.reading import read
from sark_cli.rollout import Rollout
from sark_cli.rollouts import Rollouts
from sark_cli.waiting import ask, wait


def run(options: argparse.Namespace, out: Out) -> int:
    """Write the intent, and say what came of it."""
    intent = BY_VERB[options.command]
    connection = connect(options)
    rollouts = Rollouts(connection)
    rollout, said = ask(rollouts, read(rollouts, connection.namespace, options.name), intent)
    if options.timeout:
        rollout = wait(rollouts, rollout, intent.met, seconds=options.timeout)
    report(rollout, said, out)
    return ExitCode.DONE


def report(rollout: Rollout, said: str, out: Out) -> None:
    """Say what was asked and how the rollout stands now."""
    if out.wants_data:
        out.data(dict(rollout.body))
        return
    out.lines(f"{rollout.name} {said}")
    if rollout.answered:
        status = rollout.status
        out.lines(f"{rollout.name} is {status.phase} ({status.reason or 'no reason yet'}): {status.message or 'no status yet'}")
