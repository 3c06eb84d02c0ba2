"""One run of a command of `sark-bench`, or of `opa bench`, and what they print."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sark_e2e.bench.failure import BenchError

_PATIENCE_SECONDS: Final = 1800
"""A policy of 10 MB without an index takes seconds for one evaluation, and minutes on a machine with other work."""


@dataclass(frozen=True)
class CaseTimes:
    """Evaluations of the cases of one name, in microseconds."""

    name: str
    evaluations: int
    p50_us: float
    """Of the whole way, from the input's text to the result's, as are the next three."""
    p95_us: float
    p99_us: float
    mean_us: float
    parse_us: float
    """Medians of the stages, as are the next two."""
    evaluate_us: float
    serialise_us: float


@dataclass(frozen=True)
class Evaluation:
    """One run of one engine in a process of its own."""

    load_seconds: float
    rss_added_bytes: int
    peak_added_bytes: int
    policies_bytes: int | None
    """What the engine says that its policies take; None when it does not say."""
    cases: tuple[CaseTimes, ...]

    def named(self, name: str) -> CaseTimes:
        """Return the times of one name. Raises BenchError."""
        for each in self.cases:
            if each.name == name:
                return each
        raise BenchError(f"no case is called {name!r}")


def evaluate(client: Path, *, engine: str, policies: Path, cases: Path, seconds: float) -> Evaluation:
    """Evaluate `cases` for `seconds` each name. Raises BenchError, also when a result is not the known one."""
    options: dict[str, object] = {"--engine": engine, "--policies": policies, "--cases": cases, "--seconds": seconds}
    printed = run_client(client, "evaluate", options)
    try:
        members = json.loads(printed)
        times = tuple(CaseTimes(**each) for each in members.pop("cases"))
        return Evaluation(**members, cases=times)
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(f"sark-bench evaluate printed something else than a result: {printed[:200]!r}") from error


def run_client(client: Path, command: str, options: Mapping[str, object]) -> str:
    """Run a command of `sark-bench` and return what it prints. Raises BenchError."""
    return _run([str(client), command, *(str(part) for option in options.items() for part in option)])


@dataclass(frozen=True)
class OpaBench:
    """What `opa bench` tells of one query with a parsed input, in microseconds."""

    evaluations: int
    evaluate_us: float
    """Median of OPA's own timer of the evaluation."""
    whole_us: float
    """Mean of everything `opa bench` does for one."""


def opa_bench(opa: Path, *, policies: Path, path: str, question: Path) -> OpaBench:
    """Evaluate one input for a second. Raises BenchError."""
    query = "data." + path.replace("/", ".")
    # From its own folder, as OPA the server, so that data.json is the root document.
    printed = _run([str(opa), "bench", "--format=json", "--data=.", f"--input={question}", query], directory=policies)
    try:
        members: dict[str, Any] = json.loads(printed)
        extra = members["Extra"]
        count = int(members["N"])
        return OpaBench(
            evaluations=count,
            evaluate_us=float(extra["histogram_timer_rego_query_eval_ns_median"]) / 1e3,
            whole_us=float(members["T"]) / count / 1e3,
        )
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise BenchError(f"opa bench printed something else than a result: {printed[:200]!r}") from error


def _run(command: Sequence[str], directory: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"{' '.join(command)} did not run to its end: {error}") from error
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout
