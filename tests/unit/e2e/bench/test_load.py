"""What the load generator prints is taken only when it is a whole run of decisions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sark_e2e.bench.failure import BenchError
from sark_e2e.bench.load import Load, parse_load, run_load

PRINTED = {
    "connections": 16,
    "seconds": 2.0,
    "answers": 1000,
    "errors": 0,
    "first_error": "",
    "per_second": 500.0,
    "p50_us": 10.5,
    "p95_us": 20.0,
    "p99_us": 30.0,
}


def printed(**changes: object) -> str:
    return json.dumps({**PRINTED, **changes})


def test_a_run_is_read():
    assert parse_load(printed()) == Load(answers=1000, per_second=500.0, p50_us=10.5, p95_us=20.0, p99_us=30.0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (printed(errors=3, first_error="HTTP/1.1 500"), "3 of 1000 answers were wrong; the first: HTTP/1.1 500"),
        (printed(answers=0), "no answer at all"),
        (printed(p50_us=-1), "something else than a result"),
        (printed(per_second="fast"), "something else than a result"),
        (printed(p99_us=None), "something else than a result"),
        (json.dumps([]), "something else than a result"),
        ("", "something else than a result"),
        ('{"answers": 1}', "something else than a result"),
        (printed().replace("500.0", "NaN"), "something else than a result"),
    ],
)
def test_anything_else_is_refused(text: str, sentence: str):
    with pytest.raises(BenchError, match=sentence):
        parse_load(text)


def test_a_client_that_fails_is_told_with_its_reason(tmp_path: Path):
    client = tmp_path / "client"
    client.write_text('#!/bin/sh\necho "error: $*" >&2\nexit 1\n', encoding="utf-8")
    client.chmod(0o755)

    with pytest.raises(BenchError, match="failed: error: load --url http://a --bodies b --connections 4 --seconds 1"):
        run_load(client, url="http://a", bodies=Path("b"), connections=4, seconds=1)


@pytest.mark.parametrize(
    ("awake_seconds", "told"),
    [(None, "--seconds 1 --rate 50$"), (0.0001, "--seconds 1 --rate 50 --awake 0.0001$")],
)
def test_a_paced_client_sleeps_only_where_it_may(tmp_path: Path, awake_seconds: float | None, told: str):
    client = tmp_path / "client"
    client.write_text('#!/bin/sh\necho "error: $*" >&2\nexit 1\n', encoding="utf-8")
    client.chmod(0o755)

    with pytest.raises(BenchError, match=f"failed: error: paced .* {told}"):
        run_load(client, url="http://a", bodies=Path("b"), connections=4, seconds=1, per_second=50, awake_seconds=awake_seconds)


def test_a_client_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(BenchError, match="did not run to its end"):
        run_load(tmp_path / "none", url="http://a", bodies=Path("b"), connections=4, seconds=1)
