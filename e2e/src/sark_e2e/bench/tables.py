"""The results as a person reads them: tables in a terminal, plain text in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table

from .decisions import Effort, Row
from .legs import Leg
from .machine import Machine
from .reaction import Circumstances

_PIPE_WIDTH: Final = 120


def console() -> Console:
    """Return where results are printed; a pipe has no width of its own."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


def machine_lines(machine: Machine) -> Iterator[str]:
    """Return the machine as lines."""
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    yield f"machine   {machine.cpu}, {machine.cores} cores, {machine.memory_gib:.0f} GiB, {machine.kernel}"
    yield f"versions  {versions}"
    yield f"engine    build_profile {machine.build_profile}"
    yield f"load      {machine.load:.2f} runnable tasks in the minute before the start"


def decisions_table(
    rows: Sequence[Row], titles: Mapping[str, str], effort: Effort, connections: int, *, plain: bool
) -> RenderableType:
    """Return the table of one number of connections, without lines when `plain`."""
    asked = "one question at a time" if connections == 1 else f"{connections} questions at a time"
    table = _table(f"Decisions, {asked} ({effort.seconds:g} s each; medians, rounds: {effort.rounds})", plain=plain)
    table.add_column("")
    for heading in ("decisions/s", "slowest - fastest", "of floor", "p50 ms", "p95 ms", "p99 ms", "CPU us"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        if row.connections == connections:
            table.add_row(titles[row.key], *_figures(row))
    return table


def reaction_table(legs: Sequence[Leg], *, plain: bool) -> RenderableType:
    """Return the table of the way back, without lines when `plain`."""
    table = _table("Reaction, in milliseconds", plain=plain)
    table.add_column("")
    for heading in ("median", "max", "each"):
        table.add_column(heading, justify="right", no_wrap=True)
    for leg in legs:
        each = "  ".join(f"{value:,.0f}" for value in leg.milliseconds)
        table.add_row(leg.title, f"{leg.median:,.0f}", f"{leg.worst:,.0f}", each)
    return table


def circumstances_lines(circumstances: Circumstances) -> Iterator[str]:
    """Return what the reaction depends on as lines."""
    yield (
        f"fault     {circumstances.error_percent:g}% of the rust arm's requests fail, at a share of {circumstances.percent}% "
        f"of {circumstances.requests_per_second:g} requests/s over {circumstances.replicas} sidecars"
    )
    yield (
        f"watch     scraped every {circumstances.scrape_seconds:g} s, the operator looks every "
        f"{circumstances.interval_seconds} s, limit {circumstances.limit_basis_points / 100:g}% of a window of "
        f"{circumstances.window_seconds} s"
    )


def _table(title: str, *, plain: bool) -> Table:
    lines = None if plain else box.SIMPLE_HEAD
    return Table(title=title, title_justify="left", title_style="bold", box=lines, header_style="dim", padding=(0, 2, 0, 0))


def _figures(row: Row) -> tuple[str, ...]:
    latencies = (f"{value / 1000:.3f}" for value in (row.p50_us, row.p95_us, row.p99_us))
    spread = f"{row.slowest:,.0f} - {row.fastest:,.0f}"
    return (f"{row.per_second:,.0f}", spread, share(row.of_floor), *latencies, f"{row.cpu_us:,.1f}")


def share(ratio: float) -> str:
    """Return a share of the floor in percent, with a decimal where whole percents would hide it."""
    return f"{ratio:.0%}" if ratio >= 0.1 else f"{ratio:.1%}"
