"""The decision cache with a million entries, steady and while entries are pushed out, beside three others."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from sark_e2e.bench.failure import BenchError

from .client import run_client
from .finding import Finding, at_most
from .setting import Measured, Setting

ROW: Final = "cache"
_OURS: Final = "sark"
_LOADS: Final = {"steady": "steady", "churn": "entries pushed out"}
_GET: Final = "GET"
_SET: Final = "SET new"
_OTHERS: Final = {"quick-cache": "quick_cache", "moka": "moka", "dash-map": "DashMap, unbounded"}


@dataclass(frozen=True)
class Cell:
    """One cache under one load, on one thread."""

    cache: str
    load: str
    resident_mb: float
    p99_us: dict[str, float]
    """By operation."""


def measure(setting: Setting) -> Measured:
    """Measure in rounds. Raises BenchError."""
    rounds = []
    for number in range(1, setting.effort.rounds + 1):
        setting.report(f"cache, round {number} of {setting.effort.rounds}")
        file = setting.folder / f"cache-{number}.json"
        options = {"--entries": setting.effort.entries, "--threads": 1, "--rounds": 1, "--json": file}
        run_client(setting.programs.bench, "cache", options)
        rounds.append(parse(file.read_text(encoding="utf-8")))
    return Measured(_findings(rounds), [[asdict(cell) for cell in cells.values()] for cells in rounds])


def parse(text: str) -> dict[tuple[str, str], Cell]:
    """Return the cells that `sark-bench cache` wrote, by cache and load. Raises BenchError."""
    try:
        cells = [_cell(members) for members in json.loads(text)]
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(f"sark-bench cache wrote something else than a result: {text[:200]!r}") from error
    return {(cell.cache, cell.load): cell for cell in cells}


def _cell(members: dict[str, Any]) -> Cell:
    times = {each["operation"]: float(each["p99"]) / 1e3 for each in members["timings"]}
    return Cell(members["cache"], members["load"], float(members["resident_mb"]), times)


def _findings(rounds: list[dict[tuple[str, str], Cell]]) -> list[Finding]:
    def memory(cache: str) -> tuple[float, ...]:
        return tuple(cells[cache, "steady"].resident_mb for cells in rounds)

    def p99(cache: str, load: str, operation: str) -> tuple[float, ...]:
        return tuple(cells[cache, load].p99_us[operation] for cells in rounds)

    found = [Finding(ROW, "memory when full", memory(_OURS), "MB", at_most(150))]
    for load, title in _LOADS.items():
        found.append(Finding(ROW, f"GET p99, {title}", p99(_OURS, load, _GET), "us", at_most(1)))
        found.append(Finding(ROW, f"SET p99, {title}", p99(_OURS, load, _SET), "us", at_most(1.5)))
    for cache, title in _OTHERS.items():
        found.append(Finding(ROW, f"{title}: memory when full", memory(cache), "MB"))
        found.append(Finding(ROW, f"{title}: GET p99, steady", p99(cache, "steady", _GET), "us"))
        found.append(Finding(ROW, f"{title}: SET p99, steady", p99(cache, "steady", _SET), "us"))
    return found
