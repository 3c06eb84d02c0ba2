"""`python -m sark_e2e.bench.engine`: measure every goal of the engine, print the table, and write it to .cache/bench.

The exit status says whether everything could be measured, not whether the goals are met.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Final

from rich.console import Console

from sark_e2e import binaries, run_folder
from sark_e2e.bench import contestants, load_generator
from sark_e2e.bench.failure import BenchError
from sark_e2e.bench.load import AWAKE_SECONDS
from sark_e2e.bench.machine import Machine, describe, require_release
from sark_e2e.bench.tables import console, machine_lines
from sark_e2e.process import ProcessError
from sark_e2e.program import ROOT, ProgramError
from sark_e2e.progress import to_stderr

from . import document
from .finding import Finding
from .run import QUICK, ROWS, THOROUGH, measure
from .setting import Effort, Measured
from .table import beside_table, goals_table, summary_line

_PAGE_WIDTH: Final = 120
RESULTS: Final = ROOT / ".cache" / "bench"


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.document and (options.quick or options.only or options.awake is not None):
        parser.error("--document wants a whole run: leave --quick, --only and --awake out")
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
    programs = contestants.Programs(
        bench=load_generator.build(to_stderr), opa=binaries.program("opa", report=to_stderr), redis=binaries.redis_server()
    )
    machine = describe({"opa": (programs.opa, "version"), "redis": (programs.redis, "--version")})
    machine.versions.update({"aiohttp": version("aiohttp"), "redis-py": version("redis")})
    require_release(machine.build_profile)
    effort = _effort(options)
    measured = measure(options.only or ROWS, programs, run_folder.create("bench-engine"), effort, to_stderr)
    path = _write(options, machine, effort, measured)
    findings = [finding for part in measured for finding in part.findings]
    title = f"Engine ({effort.seconds:g} s each; medians, rounds: {effort.rounds}{'; QUICK' if options.quick else ''})"
    _print(console(), machine, findings, title)
    if options.document:
        page = StringIO()
        _print(Console(file=page, highlight=False, width=_PAGE_WIDTH), machine, findings, title)
        document.put(page.getvalue())
    to_stderr(f"written to {path.relative_to(ROOT)}")


def _print(out: Console, machine: Machine, findings: Sequence[Finding], title: str) -> None:
    for line in machine_lines(machine):
        out.print(line, soft_wrap=True)
    out.print()
    out.print(goals_table(findings, title, plain=not out.is_terminal))
    out.print(summary_line(findings))
    out.print()
    out.print(beside_table(findings, "Beside them", plain=not out.is_terminal))


def _effort(options: argparse.Namespace) -> Effort:
    usual = QUICK if options.quick else THOROUGH
    return Effort(
        rounds=options.rounds or usual.rounds,
        seconds=options.seconds or usual.seconds,
        definitions=usual.definitions,
        entries=usual.entries,
        awake_seconds=options.awake,
    )


def _write(options: argparse.Namespace, machine: Machine, effort: Effort, measured: list[Measured]) -> Path:
    path = RESULTS / f"engine-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    results = {
        "machine": asdict(machine),
        "quick": options.quick,
        "effort": asdict(effort),
        "findings": [finding.as_members() for part in measured for finding in part.findings],
        "measurements": [part.details for part in measured],
    }
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sark_e2e.bench.engine", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=ROWS, metavar="ROW", help=f"one of {', '.join(ROWS)}; may be repeated"
    )
    parser.add_argument("--rounds", type=int, choices=range(1, 101), metavar="N", help=f"over everybody ({THOROUGH.rounds})")
    parser.add_argument("--seconds", type=_seconds, help=f"of each measurement ({THOROUGH.seconds:g})")
    parser.add_argument(
        "--awake",
        type=_awake_seconds,
        metavar="SECONDS",
        help="let the open loop's client sleep until so long before a question is due (it never sleeps)",
    )
    parser.add_argument("--document", action="store_true", help="put the tables into docs/engine.md too")
    parser.add_argument("--quick", action="store_true", help="see that every row works; the figures mean nothing")
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 120:
        raise argparse.ArgumentTypeError(f"it is {text!r}; it must be 0.1 to 120 seconds")
    return seconds


def _awake_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 0.1:
        raise argparse.ArgumentTypeError(f"it is {text!r}; it must be 0 to 0.1 seconds, such as {AWAKE_SECONDS}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
