"""The contract between what measures and what reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sark_e2e.performance import raw
from sark_e2e.performance.raw import Environment, RawError, Scale

MACHINE = Environment(
    cpu="a processor",
    cores=2,
    memory_gib=8,
    disk="SSD, 10 GB",
    network="loopback",
    kernel="Linux 6",
    os="Debian",
    commit="abc",
    build_profile="release",
    load_before=0.1,
    load_after=0.2,
    versions={"python": "3.11"},
)


def measurement(what: str = "target", arm: str = "rust", *, section: raw.Section = "load", **numbers: float) -> raw.Raw:
    return raw.make(
        section,
        what,
        arm,
        "open-loop",
        started="2026-01-01T00:00:00Z",
        scale=Scale(seconds=30, planned_seconds=1800),
        command="make report",
        environment=MACHINE,
        numbers={name: (value, "ms") for name, value in (numbers or {"p95": 1.5}).items()},
    )


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(raw, "SUITE", tmp_path)
    return tmp_path


def test_what_is_written_is_read_again(suite: Path):
    path = raw.write(measurement(p95=1.5), "mine")
    assert path == suite / "load" / "reports" / "mine" / "target.rust.open-loop.json"
    assert raw.read_run("mine") == {path: measurement(p95=1.5)}


def test_a_second_measurement_of_a_run_takes_the_place_of_the_first(suite: Path):
    raw.write(measurement(p95=1), "mine")
    path = raw.write(measurement(p95=2), "mine")
    assert raw.read_run("mine")[path].numbers["p95"].value == 2


def test_a_run_without_a_file_says_what_to_do(suite: Path):
    with pytest.raises(RawError, match="make report"):
        raw.read_run("nobody")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"schema": "sark.performance/0"}, "schema"),
        ({"section": "elsewhere"}, "section"),
        ({"numbers": {"p95": {"value": "fast", "unit": "ms"}}}, "numbers"),
        ({"numbers": {"p95": {"value": float("nan"), "unit": "ms"}}}, "no measurement"),
        ({"opinion": "fast"}, "opinion"),
        ({"arm": "Rust Arm"}, "arm"),
    ],
)
def test_what_is_no_measurement_is_refused_with_its_name(suite: Path, change: dict[str, object], sentence: str):
    path = raw.write(measurement(), "mine")
    members = json.loads(path.read_text(encoding="utf-8")) | change
    path.write_text(json.dumps(members), encoding="utf-8")
    with pytest.raises(RawError, match=sentence):
        raw.read(path)


def test_a_file_under_another_name_is_refused(suite: Path):
    path = raw.write(measurement(), "mine")
    other = path.rename(path.with_name("target.python.open-loop.json"))
    with pytest.raises(RawError, match=r"rename it"):
        raw.read(other)


def test_a_file_that_is_too_large_is_not_read(suite: Path):
    path = raw.write(measurement(), "mine")
    path.write_text(path.read_text(encoding="utf-8") + " " * 1_000_001, encoding="utf-8")
    with pytest.raises(RawError, match="bytes"):
        raw.read(path)


def test_long_series_are_thinned_out_evenly():
    many = [float(number) for number in range(1000)]
    made = raw.make(
        "load",
        "target",
        "rust",
        "open-loop",
        started="",
        scale=Scale(seconds=1, planned_seconds=1),
        command="",
        environment=MACHINE,
        numbers={},
        series={"throughput": ("1/s", many, many)},
    )
    kept = made.series["throughput"]
    assert kept.at == kept.values
    assert (len(kept.at), kept.at[:3]) == (334, [0, 3, 6])


def test_a_scale_is_full_when_nothing_was_shortened():
    assert Scale(seconds=1801, planned_seconds=1800).full
    assert not Scale(seconds=30, planned_seconds=1800).full
