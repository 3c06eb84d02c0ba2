"""`python -m sark_e2e.bench.sidecar`: print what a sidecar costs as Markdown, and write the numbers to .cache/bench."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from typing import Any, Final

from sark_e2e import binaries, run_folder
from sark_e2e.bench import contestants, load_generator, tables
from sark_e2e.bench.failure import BenchError
from sark_e2e.bench.machine import describe, require_release
from sark_e2e.process import ProcessError
from sark_e2e.program import ROOT, ProgramError
from sark_e2e.progress import to_stderr

from .beside import beside_table, measure_beside
from .starting import measure_starts, starts_table
from .steady import Plan, measure_steady, steady_rows, steady_table

RESULTS: Final = ROOT / ".cache" / "bench"
_PARTS: Final = ("steady", "start", "beside")


def main(arguments: list[str] | None = None) -> int:
    """Measure; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except (BenchError, ProgramError, ProcessError) as error:
        to_stderr(f"error: {error}")
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    programs = contestants.Programs(
        bench=load_generator.build(to_stderr), opa=binaries.program("opa", report=to_stderr), redis=binaries.redis_server()
    )
    machine = describe({"opa": (programs.opa, "version"), "redis": (programs.redis, "--version")})
    require_release(machine.build_profile)
    print("\n".join(tables.machine_lines(machine)), end="\n\n")
    results: dict[str, Any] = {"machine": asdict(machine)}
    path = RESULTS / f"sidecar-{time.strftime('%Y%m%d-%H%M%S')}.json"
    for part in [options.only] if options.only else _PARTS:
        results[part] = {"steady": _steady, "start": _start, "beside": _beside}[part](programs, options)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    to_stderr(f"written to {path.relative_to(ROOT)}")


def _steady(programs: contestants.Programs, options: argparse.Namespace) -> dict[str, Any]:
    plan = Plan(rates=tuple(options.rates), rounds=options.rounds, seconds=options.seconds)
    with contestants.running(programs, run_folder.create("bench"), to_stderr) as everybody:
        moments = measure_steady(everybody, programs.bench, plan, to_stderr)
    rows = steady_rows(moments)
    print(steady_table(rows, {each.key: each.title for each in everybody}), end="\n\n")
    return {"plan": asdict(plan), "rows": [asdict(row) for row in rows], "moments": [asdict(each) for each in moments]}


def _start(programs: contestants.Programs, options: argparse.Namespace) -> dict[str, Any]:
    with contestants.one_sidecar(programs, run_folder.create("bench"), to_stderr) as sidecar:
        starts = measure_starts(sidecar, options.starts)
    print(starts_table(starts), end="\n\n")
    return {"starts": [asdict(each) for each in starts]}


def _beside(programs: contestants.Programs, options: argparse.Namespace) -> dict[str, Any]:
    found = measure_beside(programs, run_folder.create("bench"), options.rounds, options.seconds, to_stderr)
    print(beside_table(found))
    return {"beside": [asdict(each) for each in found]}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sark_e2e.bench.sidecar", description=__doc__)
    parser.add_argument("--only", choices=_PARTS, help="measure one part; default: all")
    parser.add_argument("--rates", type=int, nargs="+", default=[100, 2000, 5000], help="questions a second (100 2000 5000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over all servers and rates (3)")
    parser.add_argument("--seconds", type=float, default=2.5, help="of each measurement (2.5)")
    parser.add_argument("--starts", type=int, default=7, help="starts of a sidecar (7)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
