"""`python -m sark_e2e.performance.gate`: is this state slower than the committed baseline?

What is compared are ratios to the bare responder, a program that reads a question and answers fixed bytes, measured in the same
round: a machine that is slower is slower for both. Processor time is trusted most, as others on the machine change it least.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sark_e2e import run_folder
from sark_e2e.bench.cpu_time import cpu_seconds
from sark_e2e.bench.failure import BenchError
from sark_e2e.bench.load import Load, run_load
from sark_e2e.bench.load_generator import Floor, build
from sark_e2e.process import ProcessError
from sark_e2e.progress import Report, to_stderr

from . import stand as stands
from .asked import Asked
from .raw import SUITE
from .stand import PYTHON, RUST, Stand

BASELINE: Final = SUITE / "baseline.json"
ROUNDS: Final = 5
SECONDS: Final = 1.5
_CONNECTIONS: Final = 16
_WARM_UP_SECONDS: Final = 0.5
_FILLED_SECONDS: Final = 6.0
"""Longer than from one look at OPA to the next: only then does the baseline keep what it was asked."""
_KINDS: Final = {RUST: ("hit", "miss"), PYTHON: ("hit",)}


class Limit(BaseModel):
    """What one ratio was when the baseline was committed, and how far it may get worse."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    ratio: float = Field(gt=0)
    worse: Literal["higher", "lower"]
    """In which direction it gets worse."""
    tolerance: float = Field(gt=0, lt=10)
    """Share of the ratio, as 0.3 for a third more or less."""

    @property
    def bound(self) -> float:
        """The worst that passes."""
        return self.ratio * (1 + self.tolerance) if self.worse == "higher" else self.ratio / (1 + self.tolerance)

    def passes(self, ratio: float) -> bool:
        """Return whether a ratio is no worse than that."""
        return ratio <= self.bound if self.worse == "higher" else ratio >= self.bound


@dataclass(frozen=True)
class Row:
    """One ratio beside its limit."""

    name: str
    ratio: float
    limit: Limit

    @property
    def passes(self) -> bool:
        """Whether it is no regression."""
        return self.limit.passes(self.ratio)


def compare(baseline: Mapping[str, Limit], found: Mapping[str, float]) -> list[Row]:
    """Return a row for each ratio of the baseline. Raises BenchError when one was not measured, or another was."""
    if set(baseline) != set(found):
        odd = ", ".join(sorted(set(baseline) ^ set(found)))
        raise BenchError(f"baseline and measurement do not have the same ratios ({odd}): commit a new one with --update")
    return [Row(name, found[name], limit) for name, limit in baseline.items()]


def read(path: Path = BASELINE) -> dict[str, Limit]:
    """Return the committed baseline. Raises BenchError."""
    try:
        members = json.loads(path.read_text(encoding="utf-8"))
        return {name: Limit.model_validate(limit) for name, limit in members["ratios"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        raise BenchError(f"{path} is no baseline ({error}): make one with --update") from error


def table(rows: Sequence[Row]) -> str:
    """Return the rows for people."""
    lines = [f"{'ratio to the bare responder':44} {'measured':>10} {'baseline':>10} {'worst':>10}"]
    for row in rows:
        mark = "" if row.passes else f"   REGRESSION: {row.limit.worse} is worse"
        lines.append(f"{row.name:44} {row.ratio:10.3f} {row.limit.ratio:10.3f} {row.limit.bound:10.3f}{mark}")
    return "\n".join(lines)


def measure(stand: Stand, client: Path, floor: Floor, *, rounds: int, seconds: float, report: Report) -> dict[str, float]:
    """Return the median of the rounds of each ratio. Raises BenchError, also when an answer is wrong."""
    found: dict[str, list[float]] = {}

    def load(url: str, asked: Asked, pids: Sequence[int], *, check: bool) -> tuple[float, float]:
        def ask(duration: float) -> Load:
            answers = asked.answers if check else None
            return run_load(client, url=url, bodies=asked.bodies, answers=answers, connections=_CONNECTIONS, seconds=duration)

        ask(_WARM_UP_SECONDS)
        began = cpu_seconds(pids)
        seen = ask(seconds)
        return seen.per_second, (cpu_seconds(pids) - began) / seen.answers

    for arm, kinds in _KINDS.items():
        for asked in (stand.asked[kind] for kind in kinds if kind == "hit" and arm == PYTHON):
            url = stand.url(arm, asked.path)
            run_load(client, url=url, bodies=asked.bodies, connections=_CONNECTIONS, seconds=_FILLED_SECONDS)
    for number in range(1, rounds + 1):
        report(f"round {number} of {rounds}")
        hit = stand.asked["hit"]
        rate, cpu = load(f"{floor.url}/v1/data/{hit.path}", hit, [floor.pid], check=False)
        for arm, kinds in _KINDS.items():
            for kind in kinds:
                asked = stand.asked[kind]
                own_rate, own_cpu = load(stand.url(arm, asked.path), asked, list(stand.servers(arm).values()), check=True)
                found.setdefault(f"{arm} {kind}: decisions a second", []).append(own_rate / rate)
                found.setdefault(f"{arm} {kind}: processor time of a decision", []).append(own_cpu / cpu)
    return {name: median(each) for name, each in found.items()}


def write(found: Mapping[str, float], path: Path = BASELINE) -> None:
    """Make what was measured the baseline, with the tolerances that noise on a shared machine needs."""
    ratios = {
        name: {
            "ratio": float(f"{ratio:.4g}"),
            "worse": "lower" if name.endswith("a second") else "higher",
            "tolerance": 0.6 if name.endswith("a second") else 0.35,
        }
        for name, ratio in found.items()
    }
    path.write_text(json.dumps({"ratios": ratios}, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and compare; return 1 for a regression."""
    parser = argparse.ArgumentParser(prog="python -m sark_e2e.performance.gate", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement")
    parser.add_argument("--baseline", type=Path, default=BASELINE)
    parser.add_argument("--update", action="store_true", help="write what is measured as the new baseline")
    parser.add_argument("--slow-down", type=float, default=0.0, metavar="MS", help="delay the Rust arm, to see the gate fail")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.seconds <= 0 or options.slow_down < 0:
        parser.error("--rounds must be at least 1, --seconds above 0, --slow-down not below 0")
    try:
        baseline = {} if options.update else read(options.baseline)
        client, folder = build(to_stderr), run_folder.create("gate")
        with (
            stands.running(folder, to_stderr, faults=True) as stand,
            Floor(client, network=stand.network, folder=folder, report=to_stderr) as floor,
        ):
            stand.sidecars[RUST].inject(latency_ms=options.slow_down)
            found = measure(stand, client, floor, rounds=options.rounds, seconds=options.seconds, report=to_stderr)
        if options.update:
            write(found, options.baseline)
            to_stderr(f"{options.baseline} is written; say in the commit why it changes")
            return 0
        rows = compare(baseline, found)
    except (BenchError, ProcessError) as error:
        to_stderr(f"error: {error}")
        return 1
    print(table(rows))
    return 0 if all(row.passes for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
