"""`python -m sark_e2e.bench`: measure, print, and write the numbers to .cache/bench."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from sark_e2e import binaries, run_folder
from sark_e2e.process import ProcessError
from sark_e2e.program import ROOT, ProgramError
from sark_e2e.progress import to_stderr

from . import contestants, load_generator, tables
from .decisions import Effort, measure_all, rows
from .failure import BenchError
from .legs import legs
from .machine import describe, require_release
from .reaction import Circumstances, measure_reaction

RESULTS: Final = ROOT / ".cache" / "bench"
_PARTS: Final = ("decisions", "reaction")


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except (BenchError, ProgramError, ProcessError) as error:
        to_stderr(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        to_stderr("interrupted; everything that was started has been ended")
        return 130
    return 0


def _run(options: argparse.Namespace) -> None:
    console = tables.console()
    programs = contestants.Programs(
        bench=load_generator.build(to_stderr), opa=binaries.program("opa", report=to_stderr), redis=binaries.redis_server()
    )
    machine = describe({"opa": (programs.opa, "version"), "redis": (programs.redis, "--version")})
    require_release(machine.build_profile)
    for line in tables.machine_lines(machine):
        console.print(line, soft_wrap=True)
    console.print()
    results: dict[str, Any] = {"machine": asdict(machine)}
    # Each part is written as soon as it is there: the second one's failure must not cost the first one's numbers.
    path = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    for part in [options.only] if options.only else _PARTS:
        measured: Callable[..., dict[str, Any]] = {"decisions": _decisions, "reaction": _reaction}[part]
        results[part] = measured(console, programs, options)
        _write(path, results)
    to_stderr(f"written to {path.relative_to(ROOT)}")


def _decisions(console: Console, programs: contestants.Programs, options: argparse.Namespace) -> dict[str, Any]:
    effort = Effort(rounds=options.rounds, seconds=options.seconds, connections=(options.connections, 1))
    with contestants.running(programs, run_folder.create("bench"), to_stderr) as measured:
        titles = {each.key: each.title for each in measured}
        found = measure_all(measured, programs.bench, effort, to_stderr)
    summary = rows(found)
    for connections in effort.connections:
        console.print(tables.decisions_table(summary, titles, effort, connections, plain=not console.is_terminal))
        console.print()
    return {
        "effort": asdict(effort),
        "rows": [asdict(row) for row in summary],
        "measurements": [asdict(each) for each in found],
    }


def _reaction(console: Console, programs: contestants.Programs, options: argparse.Namespace) -> dict[str, Any]:
    del programs
    circumstances = Circumstances(repetitions=options.repetitions)
    instants = measure_reaction(circumstances, to_stderr)
    found = legs(instants)
    console.print(tables.reaction_table(found, plain=not console.is_terminal))
    for line in tables.circumstances_lines(circumstances):
        console.print(line, soft_wrap=True)
    return {
        "circumstances": asdict(circumstances),
        "legs": [asdict(leg) | {"median": leg.median, "max": leg.worst} for leg in found],
        "instants": [asdict(each) for each in instants],
    }


def _write(path: Path, results: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sark_e2e.bench", description=__doc__)
    parser.add_argument("--only", choices=_PARTS, help="measure one part; default: both")
    parser.add_argument("--rounds", type=_within(1, 100), default=3, help="rounds over all servers (3)")
    parser.add_argument("--seconds", type=_within(1, 120), default=2, help="of each measurement (2)")
    parser.add_argument("--connections", type=_within(2, 256), default=16, help="questions at a time (16); 1 is measured too")
    parser.add_argument("--repetitions", type=_within(1, 100), default=3, help="of the reaction (3)")
    return parser


def _within(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"it is {text!r}; it must be a whole number from {least} to {most}")
        return int(text)

    return number


if __name__ == "__main__":
    sys.exit(main())
