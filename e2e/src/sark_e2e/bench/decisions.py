"""Decisions a second, latencies and processor time, measured in rounds.

A round measures everybody within about half a minute, the floor among them, so that a machine that is slower for a while is
slower for all; a ratio is taken within its round. What is reported is the median of the rounds.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from sark_e2e.progress import Report

from .cache_use import CacheClaim, cache_use
from .contestants import FLOOR, Contestant
from .cpu_time import cpu_seconds
from .failure import BenchError
from .load import Load, run_load

WARM_UP_SECONDS: Final = 0.5
_FILLED_WITHIN_SECONDS: Final = 30.0
_CACHED_ABOVE: Final = 0.99
_NEW_BELOW: Final = 0.01


@dataclass(frozen=True)
class Effort:
    """How long and how hard is measured."""

    rounds: int
    seconds: float
    """Of each measurement."""
    connections: tuple[int, ...]
    """Each measured by itself; a connection asks again as soon as it has its answer."""


@dataclass(frozen=True)
class Measurement:
    """One contestant, once."""

    key: str
    round: int
    connections: int
    load: Load
    cpu_us: float
    """Processor time of all its servers for one decision, in microseconds."""


@dataclass(frozen=True)
class Row:
    """What is reported of one contestant at one number of connections: medians of the rounds."""

    key: str
    connections: int
    per_second: float
    slowest: float
    fastest: float
    """Decisions a second of the slowest and of the fastest round."""
    of_floor: float
    """Decisions a second as a share of the floor's in the same round."""
    p50_us: float
    p95_us: float
    p99_us: float
    cpu_us: float


def measure_all(contestants: Sequence[Contestant], client: Path, effort: Effort, report: Report) -> list[Measurement]:
    """Return all measurements. Raises BenchError."""
    found = []
    for number in range(1, effort.rounds + 1):
        for connections in effort.connections:
            report(f"round {number} of {effort.rounds}, {connections} at once")
            found += [measure(each, client, number, connections, effort.seconds) for each in contestants]
    return found


def measure(contestant: Contestant, client: Path, number: int, connections: int, seconds: float) -> Measurement:
    """Return one measurement, after a warm-up. Raises BenchError when the cache was not used as the row says."""
    warm_up(contestant, lambda: ask(contestant, client, connections, WARM_UP_SECONDS))
    pids = [server.pid for server in contestant.servers]
    with claim_kept(contestant):
        began = cpu_seconds(pids)
        seen = ask(contestant, client, connections, seconds)
        used = cpu_seconds(pids) - began
    return Measurement(contestant.key, number, connections, seen, used / seen.answers * 1e6)


def ask(contestant: Contestant, client: Path, connections: int, seconds: float, per_second: float | None = None) -> Load:
    """Ask a contestant its questions, so many a second, or each connection at once when it has its answer."""
    return run_load(
        client,
        url=contestant.url,
        bodies=contestant.bodies,
        answers=contestant.answers,
        connections=connections,
        seconds=seconds,
        per_second=per_second,
    )


def warm_up(contestant: Contestant, ask_some: Callable[[], object]) -> None:
    """Ask until the cache is used as the row says, for some seconds at most: the baseline's is filled after a look at OPA."""
    claim, deadline = contestant.claim, time.monotonic() + _FILLED_WITHIN_SECONDS
    while True:
        before = cache_use(claim) if claim and claim.cached else None
        ask_some()
        if claim is None or before is None or time.monotonic() > deadline:
            return
        if cache_use(claim).share_since(before) >= _CACHED_ABOVE:
            return


@contextlib.contextmanager
def claim_kept(contestant: Contestant) -> Iterator[None]:
    """Refuse what is measured in the block when the cache was not used as the row says. Raises BenchError."""
    claim = contestant.claim
    before = claim and cache_use(claim)
    yield
    if claim and before:
        check_claim(claim, contestant.title, cache_use(claim).share_since(before))


def check_claim(claim: CacheClaim, title: str, hits: float) -> None:
    """Refuse a measurement whose share of `hits` (0 to 1) is not what its row says. Raises BenchError."""
    if claim.cached and hits < _CACHED_ABOVE:
        raise BenchError(f"{title}: only {hits:.1%} of the questions were answered from the cache")
    if not claim.cached and hits > _NEW_BELOW:
        raise BenchError(f"{title}: {hits:.1%} of the questions were answered from the cache, and none should be")


def rows(measurements: Sequence[Measurement]) -> list[Row]:
    """Return one row for each contestant and number of connections, in the order they were measured."""
    groups: dict[tuple[int, str], list[Measurement]] = {}
    for each in measurements:
        groups.setdefault((each.connections, each.key), []).append(each)
    return [_row(group, groups[connections, FLOOR]) for (connections, _), group in groups.items()]


def ratio(measured: Sequence[Measurement], floor: Sequence[Measurement]) -> float:
    """Return the median of the rounds' decisions a second as a share of the floor's in the same round."""
    floors = {each.round: each.load.per_second for each in floor}
    return median(each.load.per_second / floors[each.round] for each in measured)


def _row(group: Sequence[Measurement], floor: Sequence[Measurement]) -> Row:
    rates = [each.load.per_second for each in group]
    return Row(
        key=group[0].key,
        connections=group[0].connections,
        per_second=median(rates),
        slowest=min(rates),
        fastest=max(rates),
        of_floor=ratio(group, floor),
        p50_us=median(each.load.p50_us for each in group),
        p95_us=median(each.load.p95_us for each in group),
        p99_us=median(each.load.p99_us for each in group),
        cpu_us=median(each.cpu_us for each in group),
    )
