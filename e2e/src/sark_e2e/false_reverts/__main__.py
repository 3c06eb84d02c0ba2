"""`make false-reverts`: the tables of docs/statistics.md."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from random import Random
from statistics import quantiles
from typing import Final, NamedTuple

from sark_operator.core.sequential import wager

from .arms import BAKE, PER_MINUTE, Arms
from .memory import HOURS, Memory, false_alarms, taken_back
from .rules import Operators, Recent, plain

HEALTHY = tuple(
    Arms(per_minute, rate, rho) for per_minute in (100, 300, 1000) for rate in (0.002, 0.009) for rho in (0.0, 0.005, 0.02)
)
SHOCKED = tuple(Arms(300, 0.002, 0.005, shock_rate=rate) for rate in (0.02, 0.2, 1.0))
STEADY = (
    *(Memory(growth, lasts=lasts) for growth in (0.0, 1.0) for lasts in (0.0, 2.0, 5.0, 10.0, 30.0)),
    Memory(noise=0.2, saw=3, tooth=20),
    Memory(noise=0.2, saw=3, tooth=45),
    Memory(noise=0.2, saw=3, tooth=120),
)
LEAKS = (3.0, 5.0, 10.0, 50.0)
EFFECTS = (0.015, 0.02, 0.03, 0.05, 0.1, 0.3, 1.0)
GIVEN_UP = 12 * 60 * PER_MINUTE
"""Windows after which a bad arm counts as not found."""


class Taken(NamedTuple):
    """Shares of the runs in which a healthy arm was taken back."""

    plainly: float
    """By the plain rule."""
    operator: float
    """By the operator's, floor and evidence."""
    by_evidence: float
    """By the evidence alone, as if there were no floor."""


def false_reverts(arms: Arms, runs: int, seed: int, length: int = BAKE) -> Taken:
    """Return the share of runs in which each rule takes the arm back within `length` windows."""
    bakes = [_bake(arms, Random(f"{seed} {run} {arms}"), length) for run in range(runs)]
    return Taken(*(sum(ended) / runs for ended in zip(*bakes, strict=True)))


def _bake(arms: Arms, random: Random, length: int) -> tuple[bool, bool, bool]:
    recent, rule, plainly, taken = Recent(), Operators(), False, False
    for window in islice(arms.windows(random), length):
        recent.add(window)
        plainly = plainly or plain(recent)
        taken = rule.breaches(window, recent) or taken
        if rule.proven:
            return plainly or any(_plain_later(recent, arms, random)), True, True
    return plainly, taken, False


def _plain_later(recent: Recent, arms: Arms, random: Random) -> Iterator[bool]:
    """Yield what the plain rule says in the hours after the operator's has already spoken."""
    for window in islice(arms.windows(random), BAKE // 4):
        recent.add(window)
        yield plain(recent)


def delays(arms: Arms, healthy: Arms, before: int, runs: int, seed: int) -> list[float]:
    """Return for each run the minutes until `arms` are taken back, after so many windows in which they were healthy."""
    found = []
    for run in range(runs):
        random = Random(f"{seed} {run} {arms}")
        recent, rule = Recent(), Operators()
        for window in islice(healthy.windows(random), before):
            recent.add(window)
            rule.breaches(window, recent)
        found.append(_until(arms, random, recent, rule.pools) / PER_MINUTE)
    return found


def _until(arms: Arms, random: Random, recent: Recent, pools: wager.Pools) -> int:
    rule = Operators(wager.stirred(pools) if not recent.requests else pools)
    for number, window in enumerate(islice(arms.windows(random), GIVEN_UP), start=1):
        recent.add(window)
        if rule.breaches(window, recent):
            return number
    return GIVEN_UP


def _share(value: float) -> str:
    return f"{value:.3f}"


def _minutes(found: Sequence[float]) -> str:
    if len(found) < 2:
        return "-"
    deciles = quantiles(found, n=10)
    return " / ".join("never" if value >= GIVEN_UP / PER_MINUTE else f"{value:.4g}" for value in (deciles[4], deciles[8]))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m sark_e2e.false_reverts", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="bakes of 48 h per line (default 200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--table", choices=TABLES, action="append", help="print this table only (may be repeated)")
    parser.add_argument("--line", nargs=3, type=float, metavar=("PER_MINUTE", "RATE", "RHO"), help="print this line only")
    options = parser.parse_args()
    if options.line:
        _print_healthy(options.runs, options.seed, (Arms(int(options.line[0]), *options.line[1:]),))
        return
    for name in options.table or TABLES:
        TABLES[name](options.runs, options.seed)


def _print_healthy(runs: int, seed: int, healthy: Sequence[Arms] = HEALTHY) -> None:
    print(f"Share of {runs} healthy bakes of 48 h that are taken back\n")
    print("| requests/min | true rate | rho | plain > 1% in 5m | operator | without the floor |\n|---|---|---|---|---|---|")
    for arms in healthy:
        taken = " | ".join(_share(each) for each in false_reverts(arms, runs, seed))
        print(f"| {arms.per_minute} | {arms.rate:.1%} | {arms.rho} | {taken} |", flush=True)


def _print_shocked(runs: int, seed: int) -> None:
    print("\nThe same while something both arms share fails for 10 min about every 6 h (300 requests/min, rho 0.005)\n")
    print("| both arms fail | plain > 1% in 5m | operator |\n|---|---|---|")
    for arms in SHOCKED:
        taken = false_reverts(arms, runs, seed)
        print(f"| {arms.shock_rate:.0%} | {_share(taken.plainly)} | {_share(taken.operator)} |", flush=True)


def _print_delays(runs: int, seed: int) -> None:
    few = max(2, runs // 5)
    print(f"\nMinutes until a bad arm is taken back: median / 90th percentile of {few} runs, rho 0.005\n")
    print("| true rate | 100/min, from the start | 100/min, after 24 h | 1000/min, from the start | 1000/min, after 24 h |")
    print("|---|---|---|---|---|")
    for rate in EFFECTS:
        cells = [
            _minutes(delays(replace(healthy, rate=rate), healthy, before, few, seed))
            for healthy in (Arms(100, 0.002, 0.005), Arms(1000, 0.002, 0.005))
            for before in (0, BAKE // 2)
        ]
        print(f"| {rate:.1%} | {' | '.join(cells)} |", flush=True)


def _print_memory(runs: int, seed: int) -> None:
    few = max(2, runs // 5)
    print(f"\nShare of {few} healthy pods whose memory is taken for a leak within {HOURS} h, limit 2 MiB/h\n")
    print("| true growth | what comes and goes | lasts | saw | taken for a leak |\n|---|---|---|---|---|")
    for memory in STEADY:
        saw = f"{memory.saw:g} MiB in {memory.tooth} min" if memory.saw else "-"
        cells = f"{memory.growth:g} MiB/h | {memory.noise:g} MiB | {memory.lasts:g} min | {saw}"
        print(f"| {cells} | {_share(false_alarms(memory, few, seed))} |", flush=True)
    print(f"\nMinutes until a leak is found, of {few} runs: median / 90th percentile\n")
    print("| true growth | independent | lasts 10 min | lasts 30 min |\n|---|---|---|---|")
    for growth in LEAKS:
        found = [[_minutes_of_leak(growth, lasts, f"{seed} {run}") for run in range(few)] for lasts in (0, 10, 30)]
        print(f"| {growth:g} MiB/h | {' | '.join(map(_minutes, found))} |", flush=True)


def _minutes_of_leak(growth: float, lasts: float, seed: str) -> float:
    found = taken_back(Memory(growth=growth, lasts=lasts), Random(f"{seed} {growth} {lasts}"), hours=12)
    return GIVEN_UP / PER_MINUTE if found is None else found


TABLES: Final[Mapping[str, Callable[[int, int], None]]] = {
    "healthy": _print_healthy,
    "shocked": _print_shocked,
    "delays": _print_delays,
    "memory": _print_memory,
}


if __name__ == "__main__":
    main()
