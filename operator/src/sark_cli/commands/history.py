"""`history`: what happened to a rollout, the last of it or all, and whether the record of it was left alone."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from sark_api.evidence import EvidenceRecord
from sark_api.status import HistoryEntry
from sark_cli.chain import Chain, from_cluster, from_file, settled
from sark_cli.connection import connect
from sark_cli.exit_code import ExitCode
from sark_cli.explanation import numbered, share
from sark_cli.failure import CommandError
from sark_cli.out import Grid, Out
from sark_cli.reading import read
from sark_cli.rollout import Rollout
from sark_cli.rollouts import Rollouts
from sark_cli.times import moment


def run(options: argparse.Namespace, out: Out) -> int:
    """Print the transitions, oldest first: those the status holds, or all that are recorded."""
    if options.all or options.verify or options.file:
        return _chain(options, out)
    if not options.name:
        raise CommandError("give the NAME of a SarkRollout, or --file FILE", ExitCode.USAGE)
    connection = connect(options)
    rollout = read(Rollouts(connection), connection.namespace, options.name)
    if out.wants_data:
        out.data([entry.to_wire() for entry in rollout.status.history])
    elif not rollout.status.history:
        out.lines(f"Nothing has happened to {rollout.name} yet.")
    else:
        out.grid(table(rollout))
    return ExitCode.DONE


def _chain(options: argparse.Namespace, out: Out) -> int:
    chain = _read(options)
    broken = chain.broken() if options.verify else None
    if out.wants_data:
        out.data(chain.to_export() | ({"broken": broken.message if broken else ""} if options.verify else {}))
    elif options.all or not options.verify:
        out.grid(whole(chain))
    if options.verify:
        if broken is not None:
            raise CommandError(f"the evidence of {chain.rollout} is broken at record {broken.number}: {broken.message}")
        if not out.wants_data:
            out.lines(held(chain))
    return ExitCode.DONE


def _read(options: argparse.Namespace) -> Chain:
    if options.file:
        return from_file(options.file)
    if not options.name:
        raise CommandError("give the NAME of a SarkRollout, or --file FILE", ExitCode.USAGE)
    connection = connect(options)
    rollouts = Rollouts(connection)
    rollout = read(rollouts, connection.namespace, options.name)
    return settled(rollouts, rollout)[1] if options.verify else from_cluster(connection, rollout)


def table(rollout: Rollout) -> Grid:
    """Return the transitions of the status as rows; `explain --decision` takes their numbers."""
    return _grid(numbered(rollout.status.history))


def whole(chain: Chain) -> Grid:
    """Return all records as rows."""
    return _grid((record.number, record) for record in chain.records())


def held(chain: Chain) -> str:
    """Return the sentence about a chain that holds."""
    ledger = chain.ledger
    if not ledger.records:
        return f"Nothing has been recorded of {chain.rollout} yet."
    given_up = f"; records before {ledger.kept_from} have been given up" if ledger.kept_from > 1 else ""
    waiting = f"; {len(ledger.unfiled)} of them wait in the status" if ledger.unfiled else ""
    end = "; nothing says whether there were more" if chain.open_end else ""
    count = ledger.records - ledger.kept_from + 1
    return (
        f"The evidence of {chain.rollout} holds: {count} records, {ledger.kept_from} to {ledger.records}, "
        f"the last with SHA-256 {ledger.head}{given_up}{waiting}{end}."
    )


def _grid(entries: Iterable[tuple[int, HistoryEntry | EvidenceRecord]]) -> Grid:
    return Grid(
        ("NO", "TIME", "SHARE", "REASON", "BY", "WHY"),
        tuple(
            (str(number), moment(entry.time), share(entry), entry.reason, entry.actor, entry.message)
            for number, entry in entries
        ),
    )
