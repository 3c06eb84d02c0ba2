"""The tables of docs/statistics.md, printed line by line as they are measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import quantiles
from typing import Final

from .arms import BAKE, PER_MINUTE, Arms
from .bakes import GIVEN_UP, delays, false_reverts
from .memory import HOURS, Memory, fleets
from .small_limits import FALLBACKS, MISMATCHES, Small
from .small_limits import delays as small_delays
from .small_limits import taken_back as small_taken_back
from .together import NAMES, Fleet, taken_back

HEALTHY: Final = (
    *(Arms(per_minute, rate, rho) for per_minute in (100, 300, 1000) for rate in (0.002, 0.009) for rho in (0.0, 0.005, 0.02)),
    *(Arms(per_minute, 0.01, rho) for per_minute in (100, 1000) for rho in (0.0, 0.02)),
)
SHOCKED: Final = tuple(Arms(300, 0.002, 0.005, shock_rate=rate) for rate in (0.02, 0.2, 1.0))
TOGETHER: Final = (Fleet(1200, 0.0), Fleet(1200, 0.005), Fleet(1200, 0.02), Fleet(6000, 0.005))
SMALL: Final = (
    Small(FALLBACKS, 1000, 20, 0.0009),
    Small(FALLBACKS, 1000, 1000, 0.0009, 0.02),
    Small(MISMATCHES, 10, 300, 0.000_01),
    Small(MISMATCHES, 100, 40, 0.000_05),
)
SMALL_EFFECTS: Final = (
    *(Small(FALLBACKS, 1000, 300, rate, 0.005) for rate in (0.005, 0.01, 0.02, 0.04)),
    *(Small(MISMATCHES, 100, 300, rate) for rate in (0.0005, 0.002, 0.02)),
)
EFFECTS: Final = (0.015, 0.02, 0.03, 0.05, 0.1, 0.3, 1.0)
PODS: Final = 20
STEADY: Final = (
    *(Memory(growth, lasts=lasts) for growth in (0.0, 1.0) for lasts in (0.0, 10.0, 30.0, 60.0)),
    Memory(noise=0.2, saw=3, tooth=45),
    Memory(noise=0.2, saw=10, tooth=120),
    Memory(noise=0.2, saw=10, tooth=240),
)
LEAKS: Final = (3.0, 5.0, 8.0, 15.0, 50.0)
LEAK_HOURS: Final = 24


def print_healthy(runs: int, seed: int, healthy: Sequence[Arms] = HEALTHY) -> None:
    """Print how often `healthy` arms are taken back by their errors."""
    print(f"Share of {runs} healthy bakes of 48 h that are taken back\n")
    print("| requests/min | true rate | rho | plain > 1% in 5m | z-test at 1% | operator | without the floor |")
    print("|---|---|---|---|---|---|---|")
    for arms in healthy:
        _row(arms.per_minute, f"{arms.rate:.1%}", arms.rho, *map(_share, false_reverts(arms, runs, seed)))


def print_shocked(runs: int, seed: int) -> None:
    """Print the same where something that both arms share fails now and then."""
    print("\nThe same while something both arms share fails for 10 min about every 6 h (300 requests/min, rho 0.005)\n")
    print("| both arms fail | plain > 1% in 5m | z-test at 1% | operator |\n|---|---|---|---|")
    for arms in SHOCKED:
        taken = false_reverts(arms, runs, seed)
        _row(f"{arms.shock_rate:.0%}", *map(_share, taken[:3]))


def print_together(runs: int, seed: int) -> None:
    """Print how often a healthy rollout is taken back by any of the criteria that compare windows."""
    print(f"\nShare of {runs} healthy bakes of 48 h at 25% that are taken back by each criterion, and by any of them\n")
    print(f"| requests/min of both arms | rho | {' | '.join(NAMES)} | any |\n|---|---|{'---|' * (len(NAMES) + 1)}")
    for fleet in TOGETHER:
        taken = taken_back(fleet, runs, seed)
        _row(fleet.per_minute, fleet.rho, *(_share(taken[name]) for name in (*NAMES, "any")))


def print_small(runs: int, seed: int) -> None:
    """Print how often a healthy rollout is taken back by a criterion whose limit is small."""
    print(f"\nShare of {runs} healthy bakes of 48 h that are taken back by a criterion with a small limit\n")
    print("| criterion | limit | a minute | true rate | rho | operator |\n|---|---|---|---|---|---|")
    for small in SMALL:
        _row(*_named(small), _share(small_taken_back(small, runs, seed)))


def print_small_delays(runs: int, seed: int) -> None:
    """Print how soon what is beyond a small limit is taken back."""
    few = max(2, runs // 5)
    print(f"\nMinutes until what is beyond a small limit is taken back: median / 90th percentile of {few} runs\n")
    print("| criterion | limit | a minute | true rate | rho | from the start | after 1 h |\n|---|---|---|---|---|---|---|")
    for small in SMALL_EFFECTS:
        healthy, never = small.limit / 5_000_000, GIVEN_UP / PER_MINUTE
        found = (small_delays(small, healthy, before, few, seed) for before in (0, 60 * PER_MINUTE))
        _row(*_named(small), *(_minutes(never if each is None else each for each in minutes) for minutes in found))


def _named(small: Small) -> tuple[object, ...]:
    return small.criterion, f"{small.limit:,} ppm", small.per_minute, f"{small.rate * 1_000_000:,.0f} ppm", small.rho


def print_delays(runs: int, seed: int) -> None:
    """Print how soon a bad arm is taken back."""
    few = max(2, runs // 5)
    print(f"\nMinutes until a bad arm is taken back: median / 90th percentile of {few} runs, rho 0.005\n")
    cells = [f"{per_minute}/min, {rule}" for per_minute in (100, 1000) for rule in ("plain", "from the start", "after 24 h")]
    print(f"| true rate | {' | '.join(cells)} |\n|---|{'---|' * len(cells)}")
    for rate in EFFECTS:
        found: list[str] = []
        for healthy in (Arms(100, 0.002, 0.005), Arms(1000, 0.002, 0.005)):
            bad = replace(healthy, rate=rate)
            early, late = (delays(bad, healthy, before, few, seed) for before in (0, BAKE // 2))
            found += [_minutes(each.plain for each in early), _minutes(each.operator for each in early)]
            found.append(_minutes(each.operator for each in late))
        _row(f"{rate:.1%}", *found)


def print_memory(runs: int, seed: int, steady: Sequence[Memory] = STEADY) -> None:
    """Print how often the memory of a healthy fleet is taken for a leak."""
    print(f"\nShare of {runs} healthy fleets of {PODS} pods whose memory is taken for a leak within {HOURS} h, limit 2 MiB/h\n")
    print("| true growth | what comes and goes | lasts | saw | one window | operator |\n|---|---|---|---|---|---|")
    for memory in steady:
        saw = f"{memory.saw:g} MiB in {memory.tooth} min" if memory.saw else "-"
        found = fleets(memory, PODS, HOURS, runs, seed)
        shares = (sum(each[index] is not None for each in found) / runs for index in (0, 1))
        _row(f"{memory.growth:g} MiB/h", f"{memory.noise:g} MiB", f"{memory.lasts:g} min", saw, *map(_share, shares))


def print_leaks(runs: int, seed: int) -> None:
    """Print how soon a leak is found."""
    few = max(2, runs // 5)
    print(f"\nHours from the start until a leak is found, in one pod and in {PODS}: median / 90th percentile of {few} runs\n")
    times = ("independent", "lasts 10 min", "lasts 30 min")
    cells = [f"{pods}, {each}" for pods in ("one", PODS) for each in times]
    print(f"| true growth | {' | '.join(cells)} |\n|---|{'---|' * len(cells)}")
    for growth in LEAKS:
        found = []
        for pods in (1, PODS):
            for lasts in (0.0, 10.0, 30.0):
                seen = fleets(Memory(growth=growth, lasts=lasts), pods, LEAK_HOURS, few, seed)
                hours = [LEAK_HOURS if each.operator is None else 1 + each.operator / 60 for each in seen]
                found.append(_deciles(hours, LEAK_HOURS))
        _row(f"{growth:g} MiB/h", *found)


def _row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def _share(value: float) -> str:
    return f"{value:.3f}"


def _minutes(found: Iterable[float]) -> str:
    return _deciles(list(found), GIVEN_UP / PER_MINUTE)


def _deciles(found: Sequence[float], given_up: float) -> str:
    """Return the median and the 90th percentile."""
    deciles = quantiles(found, n=10)
    return " / ".join("never" if value >= given_up else f"{value:.3g}" for value in (deciles[4], deciles[8]))


TABLES: Final[Mapping[str, Callable[[int, int], None]]] = {
    "healthy": print_healthy,
    "shocked": print_shocked,
    "together": print_together,
    "small": print_small,
    "small-delays": print_small_delays,
    "delays": print_delays,
    "memory": print_memory,
    "leaks": print_leaks,
}
