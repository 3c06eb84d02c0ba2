"""`rollback`: the baseline for one rollout, or for all of a namespace or cluster. Each is waited for and told apart."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from sark_cli.connection import connect
from sark_cli.exit_code import ExitCode
from sark_cli.failure import CommandError
from sark_cli.intents import ROLLBACK, held_by, is_back, never_began
from sark_cli.out import Grid, Out
from sark_cli.reading import parsed, read
from sark_cli.rollout import Rollout
from sark_cli.rollouts import Rollouts
from sark_cli.sidecar_config import sidecar_access
from sark_cli.sidecars import Answer, ask_sidecars
from sark_cli.waiting import ask, wait

AT_ONCE: Final = 16
_SHOWN_WHEN_ASKING: Final = 20


@dataclass(slots=True)
class Outcome:
    """What came of one rollout."""

    name: str
    rollout: Rollout | None = None
    """As it was last seen."""
    problem: str = ""
    """Why it is not on the baseline, or not known to be; empty when it is."""
    code: ExitCode = ExitCode.DONE
    sidecars: list[Answer] = field(default_factory=list)
    unasked: str = ""
    """Why no sidecar could be asked."""

    def to_wire(self) -> dict[str, Any]:
        """Return it for programs."""
        status = self.rollout.status if self.rollout else None
        return {
            "name": self.name,
            "restored": not self.problem and self.rollout is not None and _at_baseline(self.rollout),
            "problem": self.problem,
            "phase": str(status.phase) if status else "",
            "flagRevision": status.flags.revision if status and status.flags else None,
            "sidecars": [answer.to_wire() for answer in self.sidecars],
            "sidecarsNotAsked": self.unasked,
        }


def run(options: argparse.Namespace, out: Out) -> int:
    """Ask, write, wait, and tell."""
    if bool(options.name) == (options.all or options.all_namespaces):
        raise CommandError("give one NAME, or --all for the namespace, or -A for every namespace", ExitCode.USAGE)
    connection = connect(options)
    rollouts = Rollouts(connection)
    if options.name:
        chosen = [read(rollouts, connection.namespace, options.name)]
        unreadable: list[Outcome] = []
    else:
        chosen, unreadable = _all(rollouts, "" if options.all_namespaces else connection.namespace)
    if not chosen and not unreadable:
        out.lines("There is nothing to roll back.")
        return ExitCode.DONE
    if not options.yes:
        _confirm(chosen)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(lambda each: _one(rollouts, each, options), chosen))
    outcomes = [*done, *unreadable]
    if out.wants_data:
        out.data([outcome.to_wire() for outcome in outcomes])
    else:
        _tell(outcomes, out)
    return next((outcome.code for outcome in outcomes if outcome.problem), ExitCode.DONE)


def _all(rollouts: Rollouts, namespace: str) -> tuple[list[Rollout], list[Outcome]]:
    """Return the rollouts that are not back yet, and those that cannot be read: they must be told, too."""
    chosen, unreadable = [], []
    for body in rollouts.all(namespace):
        try:
            rollout = parsed(body)
        except CommandError as error:
            key = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
            unreadable.append(Outcome(key, problem=str(error), code=error.code))
            continue
        if not (ROLLBACK.met(rollout) and rollout.spec.mode == "Rollback"):
            chosen.append(rollout)
    return chosen, unreadable


def _confirm(chosen: list[Rollout]) -> None:
    """Ask the person; without one, --yes must have been given."""
    if not sys.stdin.isatty():
        raise CommandError("nobody can be asked here: give --yes to roll back without a question", ExitCode.USAGE)
    for rollout in chosen[:_SHOWN_WHEN_ASKING]:
        sys.stderr.write(f"  {rollout.name}: {rollout.status.phase}, {rollout.status.summary.traffic or '0%'}\n")
    if len(chosen) > _SHOWN_WHEN_ASKING:
        sys.stderr.write(f"  and {len(chosen) - _SHOWN_WHEN_ASKING} more\n")
    sys.stderr.write("Restore the baseline for all of these? [y/N] " if len(chosen) > 1 else "Restore the baseline? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was changed")


def _one(rollouts: Rollouts, rollout: Rollout, options: argparse.Namespace) -> Outcome:
    """Take one rollout back. It never raises: what happens to one must not keep the others from going back."""
    outcome = Outcome(rollout.name, rollout)
    try:
        outcome.rollout, _ = ask(rollouts, rollout, ROLLBACK)
        if not options.timeout:
            return outcome
        outcome.rollout = wait(rollouts, outcome.rollout, ROLLBACK.met, seconds=options.timeout)
    except CommandError as error:
        outcome.problem, outcome.code = str(error), error.code
    if outcome.rollout is not None and options.ask != "none":
        try:
            # A file that cannot be used holds up no rollback: it is read when everything else has been done.
            access = sidecar_access(options.sidecar_config)
            outcome.sidecars = ask_sidecars(rollouts, outcome.rollout, access, direct=options.ask == "direct")
        except CommandError as error:
            outcome.unasked = str(error)
    return outcome


def _tell(outcomes: list[Outcome], out: Out) -> None:
    for outcome in outcomes:
        out.lines(*_lines(outcome))
        if outcome.sidecars and any(not answer.problem for answer in outcome.sidecars):
            out.lines(*(f"  {line}" for line in _grid(outcome.sidecars).lines()))
    failed = sum(1 for outcome in outcomes if outcome.problem)
    if len(outcomes) > 1:
        out.lines("", f"{len(outcomes) - failed} of {len(outcomes)} rollouts done" + (f", {failed} not" if failed else ""))


def _at_baseline(rollout: Rollout) -> bool:
    """Return whether the share is 0%, as far as this rollout knows: of what another one serves it knows nothing."""
    return is_back(rollout) or (never_began(rollout) and not held_by(rollout))


def _lines(outcome: Outcome) -> list[str]:
    if outcome.problem:
        lines = [f"{outcome.name}: NOT restored: {outcome.problem}"]
    elif outcome.rollout is not None and never_began(outcome.rollout):
        lines = [f"{outcome.name}: nothing of it is in force, it has yet to begin. {outcome.rollout.status.message}"]
        if rival := held_by(outcome.rollout):
            lines.append(f"  {rival}")
    elif outcome.rollout is not None and not is_back(outcome.rollout):
        return [f"{outcome.name}: asked to go back; not waited for"]
    else:
        status = outcome.rollout.status if outcome.rollout else None
        lines = [f"{outcome.name}: at the baseline. {status.message if status else ''}".rstrip()]
        if status and status.flags and status.convergence:
            confirmed = f"{status.convergence.confirmed} of {status.convergence.total} sidecars confirmed"
            lines.append(f"  by the operator's account {confirmed}, flag revision {status.flags.revision}")
    silent = [answer for answer in outcome.sidecars if answer.problem]
    if outcome.unasked or (silent and len(silent) == len(outcome.sidecars)):
        lines.append(f"  the sidecars could not be asked from here: {outcome.unasked or silent[0].problem}")
    return lines


def _grid(answers: list[Answer]) -> Grid:
    return Grid(
        ("POD", "REVISION", "SHARE", "PROBLEM"),
        tuple(
            (
                answer.pod,
                "-" if answer.revision is None else str(answer.revision),
                "-" if answer.percent is None else f"{answer.percent}%",
                answer.problem or "-",
            )
            for answer in answers
        ),
    )
