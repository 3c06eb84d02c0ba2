"""`python -m sark_e2e.bench.operator`: measure, print, and write the numbers to .cache/bench."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from sark_e2e.bench.failure import BenchError
from sark_e2e.process import ProcessError
from sark_e2e.program import ROOT, ProgramError
from sark_e2e.progress import to_stderr

from .measure import Burst, Reaction, Restart, Steady, burst, percentile, reaction, restart, steady
from .stand import Times, stand
from .watchers import seconds_to_baseline

RESULTS: Final = ROOT / ".cache" / "bench"
_PATIENCE: Final = 900.0


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    options = _parser().parse_args(arguments)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"operator-{time.strftime('%Y%m%d-%H%M%S')}.json"
    found: dict[str, Any] = {
        "load": os.getloadavg()[0],
        "cores": len(os.sched_getaffinity(0)),
        "options": vars(options),
        "sizes": {},
    }
    try:
        for size in options.rollouts:
            found["sizes"][size] = measured(size, options)
            path.write_text(json.dumps(found, indent=2, default=asdict) + "\n", encoding="utf-8")
            to_stderr(f"written to {path}")
    except (BenchError, ProgramError, ProcessError) as error:
        to_stderr(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        to_stderr("interrupted; everything that was started has been ended")
        return 130
    print("\n".join(lines(found["sizes"])))
    return 0


def measured(size: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return what was measured with `size` rollouts, by name."""
    found: dict[str, Any] = {}
    with stand(size, Times(interval=options.interval, scrape=options.scrape, window=options.window), to_stderr) as running:
        began = time.monotonic()
        running.at_share(_PATIENCE)
        to_stderr(f"all {size} at their share after {time.monotonic() - began:.0f} s")
        found["steady"] = steady(running, options.seconds)
        to_stderr(f"steady: {found['steady']}")
        found["burst"] = burst(running, _PATIENCE)
        to_stderr(f"edit of all: {found['burst']}")
        found["restart"] = restart(running, _PATIENCE)
        to_stderr(f"restart: {found['restart']}")
        found["reaction"] = reaction(running, min(options.failing, size), _PATIENCE)
        to_stderr(f"breach: {found['reaction']}")
        if options.watchers:
            times = seconds_to_baseline(running.control_plane.kubeconfig, options.watchers, options.rounds)
            found["watchers"] = {"number": options.watchers, "seconds": [round(value, 4) for value in times]}
            to_stderr(f"watchers: p99 {percentile(times, 0.99):.3f} s")
    return found


def lines(sizes: Mapping[int, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table, a column for each number of rollouts."""
    yield f"| rollouts x 3 sidecars | {' | '.join(f'{size:,}' for size in sizes)} |"
    yield f"|---|{'---|' * len(sizes)}"
    for name, cells in rows(list(sizes.values())):
        yield f"| {name} | {' | '.join(cells)} |"


def rows(found: list[Mapping[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    """Yield name and cells of every row."""
    calm: list[Steady] = [each["steady"] for each in found]
    yield "CPU, cores (goal: under 0.5)", [f"{each.cores:.2f}" for each in calm]
    yield "memory, MiB (goal: under 286, which is 300 MB)", [f"{each.memory_mib:.0f}" for each in calm]
    yield "evaluations a minute", [f"{each.ticks_per_minute:,.0f}" for each in calm]
    yield "tick lag p99, at most", [f"{each.lag_p99_seconds:g} s" for each in calm]
    yield "one evaluation p99, at most", [f"{each.tick_p99_seconds:g} s" for each in calm]
    yield "API calls a minute", [f"{each.api_calls_per_minute:,.0f}" for each in calm]
    yield "Prometheus queries a minute (goal: the same for all)", [f"{each.queries_per_minute:,.0f}" for each in calm]
    edits: list[Burst] = [each["burst"] for each in found]
    yield "edit of all specs, until all are answered", [f"{each.answered_seconds:g} s" for each in edits]
    starts: list[Restart] = [each["restart"] for each in found]
    yield "restart, until all are taken over", [f"{each.evaluated_seconds:g} s" for each in starts]
    breaches: list[Reaction] = [each["reaction"] for each in found]
    for share, label in ((0.5, "p50"), (0.99, "p99")):
        yield f"breach scraped to flag written, {label}", [f"{percentile(each.seconds, share):.1f} s" for each in breaches]
    for share, label in ((0.5, "p50"), (0.99, "p99")):
        cells = [f"{percentile(each['watchers']['seconds'], share):.3f} s" if "watchers" in each else "-" for each in found]
        goal = " (goal: under 1 s)" if label == "p99" else ""
        yield f"flag written to watching sidecars on baseline, {label}{goal}", cells


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sark_e2e.bench.operator", description=__doc__)
    parser.add_argument(
        "--rollouts", type=int, nargs="+", default=[100, 300, 1000], help="numbers of rollouts, one after another"
    )
    parser.add_argument("--seconds", type=float, default=60, help="how long each steady state is watched")
    parser.add_argument("--interval", type=int, default=15, help="spec.interval, seconds")
    parser.add_argument("--scrape", type=int, default=15, help="Prometheus' scrape interval, seconds")
    parser.add_argument("--window", type=int, default=60, help="criteria.window, seconds")
    parser.add_argument("--failing", type=int, default=20, help="rollouts whose new arm fails")
    parser.add_argument("--watchers", type=int, default=500, help="watching sidecars; 0 leaves them out")
    parser.add_argument("--rounds", type=int, default=3, help="how often the watched flags go to 0")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
