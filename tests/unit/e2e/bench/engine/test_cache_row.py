"""What the cache's measurement writes is taken only when it is a result."""

from __future__ import annotations

import json

import pytest

from sark_e2e.bench.engine.cache_row import Cell, parse
from sark_e2e.bench.failure import BenchError

WRITTEN = {
    "cache": "sark",
    "load": "churn",
    "entries": 1_000_000,
    "threads": 1,
    "clock_reading_ns": 20,
    "timings": [{"operation": "GET", "count": 9, "mean": 200.0, "p50": 180.0, "p95": 700.0, "p99": 860.0}],
    "resident_mb": 118.5,
    "hits": 0.5,
}


def test_cells_are_found_by_cache_and_load():
    cells = parse(json.dumps([WRITTEN, {**WRITTEN, "load": "steady"}]))

    assert set(cells) == {("sark", "churn"), ("sark", "steady")}
    assert cells["sark", "churn"] == Cell("sark", "churn", 118.5, {"GET": 0.86})


@pytest.mark.parametrize("text", ["", "[1]", json.dumps([{**WRITTEN, "timings": None}]), json.dumps([{"cache": "sark"}])])
def test_anything_else_is_no_result(text: str):
    with pytest.raises(BenchError, match="something else than a result"):
        parse(text)
