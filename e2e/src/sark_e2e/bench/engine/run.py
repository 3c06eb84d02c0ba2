"""All rows, in an order in which those that share servers are measured together."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from sark_e2e.bench.contestants import Programs
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer
from sark_e2e.progress import Report

from . import cache_row, from_python, held_gil, in_process, large_policy, over_http
from .corpus import COMPLEX, SIMPLE, Corpus, Files, asker, write
from .setting import Effort, Measured, Setting

THOROUGH: Final = Effort(rounds=3, seconds=2, definitions=100_000, entries=1_000_000)
"""A policy of 10 MB, and about seven minutes on two quiet cores."""
QUICK: Final = Effort(rounds=1, seconds=0.2, definitions=2_000, entries=10_000)

_CLOSED: Final = (over_http.HIT, over_http.SIMPLE, over_http.COMPLEX)
_SINGLE: Final = {
    in_process.ROW: in_process.measure,
    over_http.PACED: over_http.measure_paced,
    large_policy.ROW: large_policy.measure,
    from_python.ROW: from_python.measure,
    cache_row.ROW: cache_row.measure,
    held_gil.ROW: held_gil.measure_held,
}
ROWS: Final = (*_CLOSED, *_SINGLE)
"""Names of the rows, in the order of the table."""


def measure(rows: Collection[str], programs: Programs, folder: Path, effort: Effort, report: Report) -> list[Measured]:
    """Measure `rows` with files and logs below `folder`. Raises BenchError, ProcessError."""
    simple, complicated = (_files(corpus, programs, folder, report) for corpus in (SIMPLE, COMPLEX))
    setting = Setting(programs, folder, simple, complicated, effort, report)
    found = []
    closed = [row for row in _CLOSED if row in rows]
    if closed:
        found.append(over_http.measure_closed(setting, closed))
    found += [one(setting) for row, one in _SINGLE.items() if row in rows]
    return found


def _files(corpus: Corpus, programs: Programs, folder: Path, report: Report) -> Files:
    own = folder / "oracle" / corpus.name
    with (
        LoopbackNetwork() as network,
        OpaServer(programs.opa, network=network, folder=own, policies=corpus.policies, report=report) as opa,
        asker(opa.url) as ask,
    ):
        return write(corpus, ask, folder)
