"""The tables of docs/statistics.md, printed line by line as they are measured; each returns what its lines promise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from statistics import quantiles
from typing import Final

from .arms import BAKE, PER_MINUTE, Arms
from .bakes import GIVEN_UP, delays, false_reverts, highest_odds
from .memory import HOURS, Memory, fleets
from .promise import ALPHA, LATE, OF_ONE, Promise
from .rules import NEEDED
from .small_limits import FALLBACKS, MISMATCHES, Small
from .small_limits import delays as small_delays
from .small_limits import taken_back as small_taken_back
from .together import NAMES, Fleet, taken_back

HEALTHY: Final = (
    *(Arms(per_minute, rate, rho) for per_minute in (100, 300, 1000) for rate in (0.002, 0.009) for rho in (0.0, 0.005, 0.02)),
    *(Arms(per_minute, 0.01, rho) for per_minute in (100, 1000) for rho in (0.0, 0.02)),
)
SHOCKED: Final = tuple(Arms(300, 0.002, 0.005, shock_rate=rate) for rate in (0.02, 0.2, 1.0))
WILD: Final = (Arms(4, 0.01), Arms(40, 0.01, 0.5), Arms(400, 0.01, 0.2))
"""Arms that fail exactly as often as they may, in bursts: a bet against them is won by chance now and then."""
SHORT: Final = BAKE // 48
LEVELS: Final = (10, 35, 100)
"""Evidence that is more often reached than what is needed, and promised as well: x to 1 with a chance of 1 in x."""
TOGETHER: Final = (Fleet(1200, 0.0), Fleet(1200, 0.005), Fleet(1200, 0.02), Fleet(6000, 0.005))
SMALL: Final = (
    Small(FALLBACKS, 1000, 20, 0.0009),
    Small(FALLBACKS, 1000, 1000, 0.0009, 0.02),
    Small(MISMATCHES, 10, 300, 0.000_01),
    Small(MISMATCHES, 100, 40, 0.000_05),
)
SMALL_EFFECTS: Final[Mapping[Small, tuple[float, float]]] = {
    Small(FALLBACKS, 1000, 300, 0.005, 0.005): (60, 60),
    Small(FALLBACKS, 1000, 300, 0.01, 0.005): (12, 24),
    Small(FALLBACKS, 1000, 300, 0.02, 0.005): (5, 10),
    Small(FALLBACKS, 1000, 300, 0.04, 0.005): (3, 4),
    Small(MISMATCHES, 100, 300, 0.0005): (180, 480),
    Small(MISMATCHES, 100, 300, 0.002): (40, 50),
    Small(MISMATCHES, 100, 300, 0.02): (3, 5),
}
"""What is beyond a small limit, and minutes within which nine in ten go back: from the start, and after an hour."""
EFFECTS: Final[Mapping[float, Mapping[int, tuple[float, float]]]] = {
    0.015: {100: (500, 700), 1000: (50, 80)},
    0.02: {100: (90, 150), 1000: (15, 35)},
    0.03: {100: (30, 50), 1000: (8, 15)},
    0.05: {100: (8, 20), 1000: (5, 9)},
    0.1: {100: (3, 8), 1000: (2, 5)},
    0.3: {100: (2, 4), 1000: (1, 3)},
    1.0: {100: (1, 1), 1000: (1, 1)},
}
"""By true rate and requests a minute, minutes within which nine in ten are to be taken back: from the start, and after 24 h.
About twice what docs/statistics.md measured for nine in ten."""
PODS: Final = 20
STEADY: Final = (
    *(Memory(growth, lasts=lasts) for growth in (0.0, 1.0) for lasts in (0.0, 10.0, 30.0, 60.0)),
    Memory(noise=0.2, saw=3, tooth=45),
    Memory(noise=0.2, saw=10, tooth=120),
    Memory(noise=0.2, saw=10, tooth=240),
)
LEAKS: Final = (3.0, 5.0, 8.0, 15.0, 50.0)
LEAK_HOURS: Final = 24


def print_healthy(runs: int, seed: int, healthy: Sequence[Arms] = HEALTHY) -> list[Promise]:
    """Print how often `healthy` arms are taken back by their errors."""
    promises = []
    print(f"Share of {runs} healthy bakes of 48 h that are taken back\n")
    print("| requests/min | true rate | rho | plain > 1% in 5m | z-test at 1% | operator | without the floor |")
    print("|---|---|---|---|---|---|---|")
    for arms in healthy:
        taken = false_reverts(arms, runs, seed)
        _row(arms.per_minute, f"{arms.rate:.1%}", arms.rho, *map(_share, taken))
        promises += [
            _never_taken_back(_line(arms), taken.operator, runs, ALPHA),
            _never_taken_back(f"{_line(arms)}, without the floor", taken.by_evidence, runs, OF_ONE),
        ]
    return promises


def print_wild(runs: int, seed: int) -> list[Promise]:
    """Print how often evidence is reached in attempts that keep their limit, but only just and wildly."""
    promises, many, levels = [], 50 * runs, (*LEVELS, NEEDED)
    print(
        f"\nShare of {many} attempts of 1 h at the limit itself in which there is ever so much evidence, the floor left aside\n"
    )
    print(f"| requests/min | rho | {' | '.join(f'{level:g} to 1' for level in levels)} |\n|---|---|{'---|' * len(levels)}")
    for arms in WILD:
        highest = highest_odds(arms, many, seed, SHORT)
        reached = [sum(odds >= level for odds in highest) for level in levels]
        _row(arms.per_minute, arms.rho, *(f"{number / many:.4f}" for number in reached))
        for level, number in zip(levels, reached, strict=True):
            what = f"attempts of 1 h came to evidence of {level:g} to 1"
            promises.append(Promise(_line(arms), what, number, many, OF_ONE if level == NEEDED else Fraction(1, int(level))))
    return promises


def print_shocked(runs: int, seed: int) -> list[Promise]:
    """Print the same where something that both arms share fails now and then."""
    promises = []
    print("\nThe same while something both arms share fails for 10 min about every 6 h (300 requests/min, rho 0.005)\n")
    print("| both arms fail | plain > 1% in 5m | z-test at 1% | operator |\n|---|---|---|---|")
    for arms in SHOCKED:
        taken = false_reverts(arms, runs, seed)
        _row(f"{arms.shock_rate:.0%}", *map(_share, taken[:3]))
        line = f"{arms.shock_rate:.0%} of both arms fail now and then"
        promises.append(_never_taken_back(line, taken.operator, runs, ALPHA))
    return promises


def print_together(runs: int, seed: int) -> list[Promise]:
    """Print how often a healthy rollout is taken back by any of the criteria that compare windows."""
    promises = []
    print(f"\nShare of {runs} healthy bakes of 48 h at 25% that are taken back by each criterion, and by any of them\n")
    print(f"| requests/min of both arms | rho | {' | '.join(NAMES)} | any |\n|---|---|{'---|' * (len(NAMES) + 1)}")
    for fleet in TOGETHER:
        taken = taken_back(fleet, runs, seed)
        _row(fleet.per_minute, fleet.rho, *(_share(taken[name]) for name in (*NAMES, "any")))
        line = f"{fleet.per_minute} requests/min of both arms, rho {fleet.rho}, by any of {', '.join(NAMES)}"
        promises.append(_never_taken_back(line, taken["any"], runs, ALPHA))
    return promises


def print_small(runs: int, seed: int) -> list[Promise]:
    """Print how often a healthy rollout is taken back by a criterion whose limit is small."""
    promises = []
    print(f"\nShare of {runs} healthy bakes of 48 h that are taken back by a criterion with a small limit\n")
    print("| criterion | limit | a minute | true rate | rho | operator |\n|---|---|---|---|---|---|")
    for small in SMALL:
        taken = small_taken_back(small, runs, seed)
        _row(*_named(small), _share(taken))
        promises.append(_never_taken_back(_small_line(small), taken, runs, ALPHA))
    return promises


def print_small_delays(runs: int, seed: int) -> list[Promise]:
    """Print how soon what is beyond a small limit is taken back."""
    promises, few = [], max(2, runs // 5)
    print(f"\nMinutes until what is beyond a small limit is taken back: median / 90th percentile of {few} runs\n")
    print("| criterion | limit | a minute | true rate | rho | from the start | after 1 h |\n|---|---|---|---|---|---|---|")
    for small, within in SMALL_EFFECTS.items():
        healthy = small.limit / 5_000_000
        found = [_known(small_delays(small, healthy, before, few, seed)) for before in (0, 60 * PER_MINUTE)]
        _row(*_named(small), *map(_minutes, found))
        for since, minutes, most in zip(("from the start", "after 1 h"), found, within, strict=True):
            promises.append(_in_time(f"{_small_line(small)}, {since}", minutes, most))
    return promises


def _known(found: Iterable[float | None]) -> list[float]:
    """Return minutes, those of what was never taken back included."""
    return [GIVEN_UP / PER_MINUTE if each is None else each for each in found]


def _named(small: Small) -> tuple[object, ...]:
    return small.criterion, f"{small.limit:,} ppm", small.per_minute, f"{small.rate * 1_000_000:,.0f} ppm", small.rho


def print_delays(runs: int, seed: int) -> list[Promise]:
    """Print how soon a bad arm is taken back."""
    promises, few = [], max(2, runs // 5)
    print(f"\nMinutes until a bad arm is taken back: median / 90th percentile of {few} runs, rho 0.005\n")
    cells = [f"{per_minute}/min, {rule}" for per_minute in (100, 1000) for rule in ("plain", "from the start", "after 24 h")]
    print(f"| true rate | {' | '.join(cells)} |\n|---|{'---|' * len(cells)}")
    for rate, by_traffic in EFFECTS.items():
        found: list[str] = []
        for per_minute, within in by_traffic.items():
            healthy = Arms(per_minute, 0.002, 0.005)
            bad = replace(healthy, rate=rate)
            early, late = (delays(bad, healthy, before, few, seed) for before in (0, BAKE // 2))
            operators = [[each.operator for each in delay] for delay in (early, late)]
            found += [_minutes(each.plain for each in early), *map(_minutes, operators)]
            for since, minutes, most in zip(("from the start", "after 24 h"), operators, within, strict=True):
                promises.append(_in_time(f"{_line(bad)}, {since}", minutes, most))
        _row(f"{rate:.1%}", *found)
    return promises


def print_memory(runs: int, seed: int, steady: Sequence[Memory] = STEADY) -> list[Promise]:
    """Print how often the memory of a healthy fleet is taken for a leak, of which nothing is promised."""
    print(f"\nShare of {runs} healthy fleets of {PODS} pods whose memory is taken for a leak within {HOURS} h, limit 2 MiB/h\n")
    print("| true growth | what comes and goes | lasts | saw | one window | operator |\n|---|---|---|---|---|---|")
    for memory in steady:
        saw = f"{memory.saw:g} MiB in {memory.tooth} min" if memory.saw else "-"
        found = fleets(memory, PODS, HOURS, runs, seed)
        shares = (sum(each[index] is not None for each in found) / runs for index in (0, 1))
        _row(f"{memory.growth:g} MiB/h", f"{memory.noise:g} MiB", f"{memory.lasts:g} min", saw, *map(_share, shares))
    return []


def print_leaks(runs: int, seed: int) -> list[Promise]:
    """Print how soon a leak is found, of which nothing is promised."""
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
    return []


def _never_taken_back(line: str, share: float, runs: int, chance: Fraction) -> Promise:
    return Promise(line, "healthy bakes of 48 h were taken back", round(share * runs), runs, chance)


def _in_time(line: str, found: Sequence[float], minutes: float) -> Promise:
    late = sum(each > minutes for each in found)
    return Promise(line, f"bad arms were not taken back within {minutes:g} min", late, len(found), LATE)


def _line(arms: Arms) -> str:
    return f"{arms.per_minute} requests/min, true rate {arms.rate:.1%}, rho {arms.rho}"


def _small_line(small: Small) -> str:
    return f"{small.criterion} at {small.limit:,} ppm, {small.per_minute} a minute, true rate {small.rate * 1_000_000:,.0f} ppm"


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


TABLES: Final[Mapping[str, Callable[[int, int], list[Promise]]]] = {
    "healthy": print_healthy,
    "wild": print_wild,
    "shocked": print_shocked,
    "together": print_together,
    "small": print_small,
    "small-delays": print_small_delays,
    "delays": print_delays,
    "memory": print_memory,
    "leaks": print_leaks,
}
