"""`status`: one rollout at a glance. Its exit status tells scripts how the rollout stands."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from sark_cli.connection import connect
from sark_cli.exit_code import ExitCode
from sark_cli.facts import status_lines
from sark_cli.failure import CommandError
from sark_cli.guidance import standing
from sark_cli.out import Out
from sark_cli.reading import read
from sark_cli.rollout import Rollout
from sark_cli.rollouts import Rollouts

POLL_SECONDS: Final = 1.0
MOST_FAILURES: Final = 30
"""Readings in a row that may fail before a watch gives up."""
_ENDS = (ExitCode.DONE, ExitCode.REVERTED)


def run(options: argparse.Namespace, out: Out) -> int:
    """Show it once, or until it has come to an end."""
    connection = connect(options)
    rollouts = Rollouts(connection)
    readings = _readings(rollouts, connection.namespace, options.name)
    if options.watch:
        return _watch(readings, options.timeout, out)
    rollout, now = next(readings), datetime.now(UTC)
    if out.wants_data:
        out.data(dict(rollout.body))
    elif out.plain:
        out.lines(*status_lines(rollout, now))
    else:
        from sark_cli.view import panel

        out.show(panel(rollout, now))
    return standing(rollout, now)


def _readings(rollouts: Rollouts, namespace: str, name: str) -> Iterator[Rollout]:
    """Yield reading after reading. Once there was one, an API server that is away for a moment does not end the watch."""
    rollout = read(rollouts, namespace, name)
    failures = 0
    while True:
        yield rollout
        try:
            rollout = read(rollouts, namespace, name)
        except CommandError as error:
            failures += 1
            if error.code is ExitCode.NOT_FOUND or failures > MOST_FAILURES:
                raise
        else:
            failures = 0


def _watch(readings: Iterator[Rollout], timeout: float, out: Out) -> int:
    """Follow it to its end. A rollout that is being reverted is followed until the baseline is restored."""
    deadline = time.monotonic() + timeout if timeout else None
    with _showing(out) as show:
        while True:
            rollout = next(readings)
            show(rollout)
            if standing(rollout) in _ENDS and rollout.status.phase != "Reverting":
                return standing(rollout)
            if deadline is not None and time.monotonic() > deadline:
                return ExitCode.TIMED_OUT
            time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def _showing(out: Out) -> Iterator[Callable[[Rollout], None]]:
    """Return what takes readings: one document each for programs, else the live view."""
    if out.wants_data:
        yield lambda rollout: out.data(dict(rollout.body))
        return
    from sark_cli.live_view import LiveView

    view = LiveView(out.console, now=lambda: datetime.now(UTC))
    with view.following():
        yield view.show
