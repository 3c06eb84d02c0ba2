"""Everybody at fixed rates, in an open loop: what a decision costs when nobody waits for the last one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from sark_e2e.bench.contestants import Contestant
from sark_e2e.bench.cpu_time import cpu_seconds
from sark_e2e.bench.decisions import WARM_UP_SECONDS, ask, claim_kept, warm_up
from sark_e2e.bench.load import Load
from sark_e2e.progress import Report

from .memory import resident_mib

CONNECTIONS: Final = 32
KEPT_UP: Final = 0.98
"""With a smaller share of the rate answered, what is measured is a queue that grows."""


@dataclass(frozen=True)
class Plan:
    """How long and how hard is measured."""

    rates: tuple[int, ...]
    """Questions a second."""
    rounds: int
    seconds: float
    """Of each measurement."""


@dataclass(frozen=True)
class Moment:
    """One contestant at one rate, once."""

    key: str
    rate: int
    round: int
    load: Load
    cpu_percent: float
    """Processor time of the server itself, of one core."""
    others_percent: float
    """Of the servers behind it."""
    resident_mib: float
    """Memory of the server itself at the end."""


@dataclass(frozen=True)
class SteadyRow:
    """What is reported of one contestant at one rate: medians of the rounds."""

    key: str
    rate: int
    per_second: float
    p50_us: float
    p95_us: float
    p99_us: float
    cpu_percent: float
    others_percent: float
    resident_mib: float

    @property
    def keeps_up(self) -> bool:
        """Whether what was asked was answered in time."""
        return self.per_second >= KEPT_UP * self.rate


def measure_steady(contestants: Sequence[Contestant], client: Path, plan: Plan, report: Report) -> list[Moment]:
    """Return all measurements. Raises BenchError, also when a cache was not used as a row says."""
    found = []
    for number in range(1, plan.rounds + 1):
        for rate in plan.rates:
            report(f"round {number} of {plan.rounds}, {rate} questions a second")
            found += [_moment(each, client, rate, number, plan.seconds) for each in contestants]
    return found


def _moment(contestant: Contestant, client: Path, rate: int, number: int, seconds: float) -> Moment:
    warm_up(contestant, lambda: ask(contestant, client, CONNECTIONS, WARM_UP_SECONDS, rate))
    itself, *others = [server.pid for server in contestant.servers]
    with claim_kept(contestant):
        began, others_began = cpu_seconds([itself]), cpu_seconds(others)
        seen = ask(contestant, client, CONNECTIONS, seconds, rate)
        used, others_used = cpu_seconds([itself]) - began, cpu_seconds(others) - others_began
    # A queue that grows is worked off after the load's time: what was used is shared by the answers that came.
    span = max(seconds, seen.answers / seen.per_second if seen.per_second else seconds)
    return Moment(contestant.key, rate, number, seen, used / span * 100, others_used / span * 100, resident_mib(itself))


def steady_rows(moments: Sequence[Moment]) -> list[SteadyRow]:
    """Return one row for each contestant and rate, in the order they were measured."""
    keys = dict.fromkeys((each.key, each.rate) for each in moments)
    return [_row(key, rate, [each for each in moments if (each.key, each.rate) == (key, rate)]) for key, rate in keys]


def _row(key: str, rate: int, moments: Sequence[Moment]) -> SteadyRow:
    return SteadyRow(
        key=key,
        rate=rate,
        per_second=median(each.load.per_second for each in moments),
        p50_us=median(each.load.p50_us for each in moments),
        p95_us=median(each.load.p95_us for each in moments),
        p99_us=median(each.load.p99_us for each in moments),
        cpu_percent=median(each.cpu_percent for each in moments),
        others_percent=median(each.others_percent for each in moments),
        resident_mib=median(each.resident_mib for each in moments),
    )


def steady_table(rows: Sequence[SteadyRow], titles: dict[str, str]) -> str:
    """Return the rows as a Markdown table; a rate that was not kept up has no latency."""
    lines = [
        "| asked a second | who | answered | p50 ms | p95 ms | p99 ms | CPU, of a core | servers behind it | memory |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        times = [f"{value / 1000:.3f}" for value in (row.p50_us, row.p95_us, row.p99_us)] if row.keeps_up else ["-"] * 3
        behind = f"{row.others_percent:.0f} %" if row.others_percent else "-"
        answered = "all" if row.keeps_up else f"{row.per_second:,.0f}/s"
        lines.append(
            f"| {row.rate:,} | {titles[row.key]} | {answered} | {' | '.join(times)} "
            f"| {row.cpu_percent:.1f} % | {behind} | {row.resident_mib:.0f} MiB |"
        )
    return "\n".join(lines)
