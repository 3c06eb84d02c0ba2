"""`simulate`: when each step would come, and whether the traffic is enough to prove it."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from sark_api.duration import format_duration
from sark_api.spec import Action, Mode, SarkRolloutSpec
from sark_cli.exit_code import ExitCode
from sark_cli.forecast.samples import STORED
from sark_cli.forecast.timetable import Stage, approved, timetable
from sark_cli.out import Grid, Out
from sark_cli.planned import planned
from sark_cli.times import moment


def run(options: argparse.Namespace, out: Out) -> int:
    """Print the timetable; the exit status is 1 when it does not come to its end."""
    _, spec = planned(options.file)
    start = (options.start or datetime.now(UTC)).replace(microsecond=0)
    stages = timetable(spec, start, options.traffic) if spec.mode is Mode.AUTO else []
    if out.wants_data:
        out.data([data(stage) for stage in stages])
    elif not stages:
        out.lines(
            f"spec.mode is {spec.mode}: no step begins until it is Auto, so there is no timetable. Write Auto into a copy of "
            "the file to see the one it would follow then."
        )
    else:
        out.grid(steps(stages))
        if options.traffic is not None:
            window = format_duration(spec.criteria.window)
            out.lines("", f"Samples in {window} (criteria.window) at {options.traffic:g} requests/s")
            out.grid(samples(stages))
        out.lines("", *ending(spec, stages))
    return ExitCode.DONE if stages and stages[-1].ends else ExitCode.FAILED


def steps(stages: list[Stage]) -> Grid:
    """Return when each step begins and ends."""
    return Grid(
        ("STEP", "SHARE", "BEGINS", "PROVEN AT THE EARLIEST", "BAKE", "HOLD"),
        tuple(
            (
                str(number),
                f"{stage.step.percent}%",
                moment(stage.begins),
                moment(stage.ends) if stage.ends else "never",
                format_duration(stage.step.bake),
                format_duration(stage.step.hold),
            )
            for number, stage in enumerate(stages, start=1)
        ),
    )


def samples(stages: list[Stage]) -> Grid:
    """Return what each criterion needs and gets at each share."""
    return Grid(
        ("SHARE", "CRITERION", "ARM", "NEEDS", "GETS", "VERDICT"),
        tuple(
            (
                f"{stage.step.percent}%",
                need.criterion,
                need.arm,
                f"{need.needed:,}",
                f"{need.got:,.0f}",
                "can be judged" if need.met else "Unknown",
            )
            for stage in stages
            for need in stage.needs
        ),
    )


def ending(spec: SarkRolloutSpec, stages: list[Stage]) -> list[str]:
    """Return how it ends, and what was taken for granted."""
    last = stages[-1]
    if last.ends:
        watched = f"watched until {moment(last.ends + spec.watch_after)}" if spec.watch_after else "not watched any further"
        lines = [f"Completed {moment(last.ends)} at the earliest, {watched}."]
    else:
        back = f"; it goes back to 0% at {moment(last.reverts)} (rollback.blindFor)" if last.reverts else ""
        lines = [f"It stays at {last.step.percent}%: {_why_unknown(last)}{back}."]
    granted = "every sidecar confirms within one interval and has run for longer than the memory window, traffic is even"
    if waiting := approved(spec):
        granted = f"{granted}, and {', '.join(f'{percent}%' for percent in waiting)} is approved in time"
    return [*lines, f"Taken for granted: {granted}, nothing is breached."]


def _why_unknown(stage: Stage) -> str:
    """Return what a step cannot be proven for."""
    unmet = [need for need in stage.needs if not need.met and need.action is not Action.WARN]
    few = ", ".join(dict.fromkeys(need.criterion for need in unmet if need.arm != STORED))
    alone = ", ".join(need.criterion for need in unmet if need.arm == STORED)
    clauses = [f"too few requests for {few}, which is Unknown"] if few else []
    if alone:
        clauses.append(f"no step before it splits the traffic, so {alone} has no baseline to compare with, and is Unknown")
    return "; ".join(clauses)


def data(stage: Stage) -> dict[str, Any]:
    """Return one step for programs."""
    return {
        "percent": stage.step.percent,
        "begins": stage.begins.isoformat(),
        "ends": stage.ends.isoformat() if stage.ends else None,
        "reverts": stage.reverts.isoformat() if stage.reverts else None,
        "samples": [
            {"criterion": need.criterion, "arm": need.arm, "needed": need.needed, "got": round(need.got, 1), "met": need.met}
            for need in stage.needs
        ],
    }
