"""`pause`, `resume`, `retry`, `promote`, `skip`, `approve`: one rollout is asked for something, and the answer waited for."""

from __future__ import annotations

import argparse
import getpass

from sark_cli.connection import connect
from sark_cli.exit_code import ExitCode
from sark_cli.intents import BY_VERB, Intent, approve, promote, skip
from sark_cli.out import Out
from sark_cli.printable import printable
from sark_cli.reading import read
from sark_cli.rollout import Rollout
from sark_cli.rollouts import Rollouts
from sark_cli.waiting import ask, wait


def run(options: argparse.Namespace, out: Out) -> int:
    """Write the intent, and say what came of it."""
    intent = _intent(options)
    connection = connect(options)
    rollouts = Rollouts(connection)
    rollout, plan = ask(rollouts, read(rollouts, connection.namespace, options.name), intent)
    if options.timeout:
        rollout = wait(rollouts, rollout, plan.met, seconds=options.timeout)
    report(rollout, plan.said, out)
    return ExitCode.DONE


def _intent(options: argparse.Namespace) -> Intent:
    match options.command:
        case "promote":
            return promote(options.percent, options.by or _user())
        case "skip":
            return skip(options.to, options.by or _user())
        case "approve":
            return approve(options.percent, options.by or _user())
        case verb:
            return BY_VERB[verb]


def _user() -> str:
    """Return the name of the person at this machine, for the record; empty when there is none."""
    try:
        return printable(getpass.getuser())
    except (OSError, KeyError):
        return ""


def report(rollout: Rollout, said: str, out: Out) -> None:
    """Say what was asked and how the rollout stands now."""
    if out.wants_data:
        out.data(dict(rollout.body))
        return
    out.lines(f"{rollout.name} {said}")
    if rollout.answered:
        status = rollout.status
        out.lines(f"{rollout.name} is {status.phase} ({status.reason or 'no reason yet'}): {status.message or 'no status yet'}")
