"""`python -m sark_e2e.faults`: rehearse every fault, print the table, and write it to .cache/faults."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from sark_e2e import run_folder
from sark_e2e.process import ProcessError
from sark_e2e.program import ROOT, ProgramError
from sark_e2e.progress import to_stderr

from .catalogue import FAULTS
from .rehearsal import Outcome, rehearse
from .stand import Stand

_LASTING: Final = 4.0
RESULTS: Final = ROOT / ".cache" / "faults"
_COLUMNS: Final = (
    "fault",
    "noticed after",
    "recovered after",
    "status settled after",
    "right",
    "503",
    "failed",
    "undefined",
    "not the policy's",
    "longest wait",
    "new arm's median",
)


def main(arguments: list[str] | None = None) -> int:
    """Run the rehearsals; return 1 when one shows what must not be."""
    parser = argparse.ArgumentParser(
        prog="python -m sark_e2e.faults", description="Rehearse faults on real OPA, Redis and API server."
    )
    parser.add_argument("--only", metavar="WORD", default="", help="faults whose name has this word in it")
    parser.add_argument("--lasting", type=float, default=_LASTING, help="seconds a fault lasts once it is noticed (4)")
    options = parser.parse_args(arguments)
    outcomes = []
    try:
        with Stand(run_folder.create("faults")) as stand:
            for fault in FAULTS:
                if options.only.lower() not in fault.name.lower():
                    continue
                if reason := fault.missing():
                    to_stderr(f"== {fault.name}: not rehearsed here: {reason}")
                else:
                    to_stderr(f"== {fault.name}")
                    outcomes.append(rehearse(stand, fault, lasting=options.lasting))
    except (TimeoutError, ProcessError, ProgramError) as error:
        to_stderr(f"error: {error}")
        return 1
    finally:
        _write(outcomes)
    print(table(outcomes))
    problems = [f"{outcome.fault}: {problem}" for outcome in outcomes for problem in outcome.problems]
    for problem in problems:
        to_stderr(f"error: {problem}")
    return 1 if problems else 0


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a Markdown table."""
    lines = [f"| {' | '.join(_COLUMNS)} |", "|" + "---|" * len(_COLUMNS)]
    for one in outcomes:
        count = one.answers.get
        lines.append(
            f"| {one.fault} | {one.noticed:.1f} s | {one.recovered:.1f} s | {one.settled:.1f} s | {count('right', 0)} "
            f"| {count('shed', 0)} | {count('failed', 0)} | {count('undefined', 0)} | {one.wrong} | {one.longest_wait:.1f} s "
            f"| {one.new_arm_p50_ratio:.1f}x |"
        )
    return "\n".join(lines)


def _write(outcomes: Sequence[Outcome]) -> None:
    if outcomes:
        RESULTS.mkdir(parents=True, exist_ok=True)
        name = time.strftime("%Y%m%d-%H%M%S")
        (RESULTS / f"{name}.json").write_text(json.dumps([asdict(one) for one in outcomes], indent=2), encoding="utf-8")
        (RESULTS / f"{name}.md").write_text(table(outcomes) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
