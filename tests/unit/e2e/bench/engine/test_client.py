"""What the programs print is taken only when it is a result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sark_e2e.bench.engine.client import evaluate, opa_bench
from sark_e2e.bench.failure import BenchError

TIMES = {
    "name": "complex",
    "evaluations": 1000,
    "p50_us": 5.0,
    "p95_us": 6.0,
    "p99_us": 7.0,
    "mean_us": 5.5,
    "parse_us": 1.0,
    "evaluate_us": 3.5,
    "serialise_us": 0.5,
}
EVALUATION = {"load_seconds": 0.5, "rss_added_bytes": 1_000_000, "peak_added_bytes": 2_000_000}
EVALUATION |= {"policies_bytes": 900_000, "cases": [TIMES]}
OPA = {"N": 1000, "T": 285_000_000, "Extra": {"histogram_timer_rego_query_eval_ns_median": 226_000}}


def program(tmp_path: Path, printed: object, status: int = 0) -> Path:
    """Return a program that prints its arguments on standard error, and `printed`."""
    path = tmp_path / "program"
    text = printed if isinstance(printed, str) else json.dumps(printed)
    path.write_text(f"#!/bin/sh\necho \"error: $*\" >&2\ncat <<'END'\n{text}\nEND\nexit {status}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def evaluated(client: Path):
    return evaluate(client, engine="sark", policies=Path("p"), cases=Path("c"), seconds=1)


def test_an_evaluation_is_read(tmp_path: Path):
    found = evaluated(program(tmp_path, EVALUATION))

    assert found.load_seconds == 0.5
    assert found.named("complex").evaluate_us == 3.5
    with pytest.raises(BenchError, match="no case is called 'simple'"):
        found.named("simple")


@pytest.mark.parametrize("printed", ["", "[]", {**EVALUATION, "more": 1}, {**EVALUATION, "cases": [{"name": "complex"}]}])
def test_anything_else_is_no_evaluation(printed: object, tmp_path: Path):
    with pytest.raises(BenchError, match="something else than a result"):
        evaluated(program(tmp_path, printed))


def test_a_program_that_fails_is_told_with_its_reason(tmp_path: Path):
    with pytest.raises(BenchError, match="failed: error: evaluate --engine sark --policies p --cases c --seconds 1"):
        evaluated(program(tmp_path, EVALUATION, status=1))


def test_opa_bench_is_read_in_microseconds(tmp_path: Path):
    found = opa_bench(program(tmp_path, OPA), policies=tmp_path, path="a/b", question=Path("input.json"))

    assert (found.evaluations, found.evaluate_us, found.whole_us) == (1000, 226.0, 285.0)


@pytest.mark.parametrize("printed", ["", {"N": 0, "T": 1, "Extra": OPA["Extra"]}, {"N": 1, "T": 1, "Extra": {}}])
def test_anything_else_is_no_run_of_opa_bench(printed: object, tmp_path: Path):
    with pytest.raises(BenchError, match="something else than a result"):
        opa_bench(program(tmp_path, printed), policies=tmp_path, path="a/b", question=Path("input.json"))
