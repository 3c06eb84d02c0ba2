"""The gate against regressions: what it lets pass and what not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sark_e2e.bench.failure import BenchError
from sark_e2e.performance import gate
from sark_e2e.performance.gate import Limit

RATE = Limit(ratio=0.8, worse="lower", tolerance=0.25)
CPU = Limit(ratio=1.2, worse="higher", tolerance=0.25)


@pytest.mark.parametrize(
    ("limit", "ratio", "passes"),
    [
        (RATE, 0.65, True),
        (RATE, 0.63, False),
        (RATE, 9, True),
        (CPU, 1.49, True),
        (CPU, 1.51, False),
        (CPU, 0.1, True),
    ],
)
def test_only_what_is_worse_than_the_tolerance_fails(limit: Limit, ratio: float, passes: bool):
    assert limit.passes(ratio) is passes


def test_a_regression_is_said_in_its_row():
    rows = gate.compare({"rust hit: decisions a second": RATE}, {"rust hit: decisions a second": 0.1})
    assert [row.passes for row in rows] == [False]
    assert "REGRESSION: lower is worse" in gate.table(rows)


def test_ratios_that_are_not_the_baselines_are_no_comparison():
    with pytest.raises(BenchError, match="python hit"):
        gate.compare({"rust hit": RATE}, {"rust hit": 1.0, "python hit": 1.0})


def test_what_is_written_is_a_baseline_that_passes_itself(tmp_path: Path):
    found = {"rust hit: decisions a second": 0.81234567, "rust hit: processor time of a decision": 1.23456}
    gate.write(found, tmp_path / "baseline.json")
    rows = gate.compare(gate.read(tmp_path / "baseline.json"), found)
    assert {row.name: row.limit.worse for row in rows} == {name: "lower" if "second" in name else "higher" for name in found}
    assert all(row.passes for row in rows)


def test_a_broken_baseline_says_how_to_make_one(tmp_path: Path):
    for text in ("", "[]", '{"ratios": {"a": {"ratio": -1, "worse": "lower", "tolerance": 0.1}}}'):
        (tmp_path / "baseline.json").write_text(text, encoding="utf-8")
        with pytest.raises(BenchError, match="--update"):
            gate.read(tmp_path / "baseline.json")
