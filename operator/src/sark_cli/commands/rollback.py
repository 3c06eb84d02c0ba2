"""`rollback`: the baseline for one rollout, or for all of a namespace or cluster. Each is waited for and told apart."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from sark_api.status import Revert
from sark_cli.connection import connect
from sark_cli.crew import work_through
from sark_cli.exit_code import ExitCode
from sark_cli.failure import CommandError
from sark_cli.intents import held_by, is_back, is_restored, never_began
from sark_cli.out import Grid, Out
from sark_cli.outcome import Outcome
from sark_cli.reading import parsed
from sark_cli.restoration import AT_ONCE, Restoration, Unreadable
from sark_cli.rollout import Rollout
from sark_cli.rollouts import Rollouts
from sark_cli.sidecar_config import sidecar_access
from sark_cli.sidecars import Answer, ask_sidecars

_SHOWN_WHEN_ASKING: Final = 20


def run(options: argparse.Namespace, out: Out) -> int:
    """Ask, write, wait, and tell."""
    if bool(options.name) == (options.all or options.all_namespaces):
        raise CommandError("give one NAME, or --all for the namespace, or -A for every namespace", ExitCode.USAGE)
    connection = connect(options)
    rollouts = Rollouts(connection)
    namespace = "" if options.all_namespaces else connection.namespace
    if options.name:
        chosen, unreadable = _told_apart([rollouts.get(connection.namespace, options.name)])
    else:
        readable, unreadable = _told_apart(rollouts.all(namespace))
        chosen = [each for each in readable if not (is_restored(each) and each.spec.mode == "Rollback")]
    if not chosen and not unreadable:
        if out.wants_data:
            out.data([])
        else:
            out.lines("There is nothing to roll back.")
        return ExitCode.DONE
    if not options.yes:
        _confirm(chosen, unreadable)
    restoration = Restoration(rollouts, chosen, unreadable, partial(_found, rollouts, namespace, options.name), options.timeout)
    interrupted = False
    try:
        restoration.run()
        if options.timeout and options.ask != "none":
            _hear_sidecars(rollouts, restoration.outcomes, options)
    except KeyboardInterrupt:
        interrupted = True
        restoration.interrupt()
    outcomes = restoration.outcomes
    if out.wants_data:
        out.data([outcome.to_wire() for outcome in outcomes])
    else:
        _tell(outcomes, out)
    if interrupted:
        return ExitCode.INTERRUPTED
    return next((outcome.code for outcome in outcomes if outcome.problem), ExitCode.DONE)


def _told_apart(bodies: Sequence[Mapping[str, Any]]) -> tuple[list[Rollout], list[Unreadable]]:
    """Return the rollouts, and those that cannot be read: they must go back, too."""
    readable, unreadable = [], []
    for body in bodies:
        try:
            readable.append(parsed(body))
        except Exception as error:  # noqa: BLE001 - what is wrong with one must not keep the others from going back
            said = str(error) if isinstance(error, CommandError) else f"cannot read the rollout: {type(error).__name__}"
            unreadable.append(Unreadable(_key(body), body, said))
    return readable, unreadable


def _confirm(chosen: list[Rollout], unreadable: list[Unreadable]) -> None:
    """Ask the person; without one, --yes must have been given."""
    if not sys.stdin.isatty():
        raise CommandError("nobody can be asked here: give --yes to roll back without a question", ExitCode.USAGE)
    lines = [f"{each.name}: {each.status.phase}, {each.status.summary.traffic or '0%'}" for each in chosen]
    lines += [f"{each.name}: {each.why}" for each in unreadable]
    for line in lines[:_SHOWN_WHEN_ASKING]:
        sys.stderr.write(f"  {line}\n")
    if len(lines) > _SHOWN_WHEN_ASKING:
        sys.stderr.write(f"  and {len(lines) - _SHOWN_WHEN_ASKING} more\n")
    sys.stderr.write("Restore the baseline for all of these? [y/N] " if len(lines) > 1 else "Restore the baseline? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was changed")


def _found(rollouts: Rollouts, namespace: str, name: str) -> Mapping[str, Mapping[str, Any]]:
    """Return what there is now, by its key: one, or all in one list, because two hundred questions take too long."""
    if not name:
        return {_key(body): body for body in rollouts.all(namespace)}
    try:
        body = rollouts.get(namespace, name)
    except CommandError as error:
        if error.code is ExitCode.NOT_FOUND:
            return {}
        raise
    return {_key(body): body}


def _key(body: Mapping[str, Any]) -> str:
    return f"{body['metadata']['namespace']}/{body['metadata']['name']}"


def _hear_sidecars(rollouts: Rollouts, outcomes: Sequence[Outcome], options: argparse.Namespace) -> None:
    """Ask the sidecars of every rollout what they apply."""

    def hear(outcome: Outcome) -> None:
        if outcome.rollout is None:
            outcome.unasked = "it is not known which they are"
            return
        try:
            # A file that cannot be used holds up no rollback: it is read when everything else has been done.
            access = sidecar_access(options.sidecar_config)
            outcome.weigh(ask_sidecars(rollouts, outcome.rollout, access, direct=options.ask == "direct"))
        except CommandError as error:
            outcome.unasked = str(error)
        except Exception as error:  # noqa: BLE001 - what is odd about one must not keep the others from being told
            outcome.unasked = f"{type(error).__name__}: {error}"
        else:
            outcome.unasked = ""

    for each in outcomes:
        each.unasked = "interrupted"  # until it is done
    work_through(outcomes, hear, AT_ONCE)


def _tell(outcomes: list[Outcome], out: Out) -> None:
    for outcome in outcomes:
        out.lines(*_lines(outcome))
        if outcome.sidecars and any(not answer.problem for answer in outcome.sidecars):
            out.lines(*(f"  {line}" for line in _grid(outcome.sidecars).lines()))
    failed = sum(1 for outcome in outcomes if outcome.problem)
    if len(outcomes) > 1:
        asked = sum(1 for outcome in outcomes if outcome.problem and outcome.asked)
        rest = f", {failed} not: {asked} asked to go back, {failed - asked} not asked" if failed else ""
        out.lines("", f"{len(outcomes) - failed} of {len(outcomes)} rollouts done{rest}")


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
            lines.append(
                f"  by the operator's account {confirmed}, flag revision {status.flags.revision}{_took(status.revert)}"
            )
    silent = [answer for answer in outcome.sidecars if answer.problem]
    if outcome.unasked or (silent and len(silent) == len(outcome.sidecars)):
        lines.append(f"  the sidecars could not be asked from here: {outcome.unasked or silent[0].problem}")
    return lines


def _took(revert: Revert | None) -> str:
    """Return how long the way back took, as the end of a sentence; nothing where there was none."""
    if revert is None or revert.completed_at is None:
        return ""
    return f", {(revert.completed_at - revert.decided_at).total_seconds():.1f} s after the decision"


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
