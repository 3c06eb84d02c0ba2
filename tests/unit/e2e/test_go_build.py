"""A program is built once, whoever asks, and a build that fails leaves nothing behind."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sark_e2e import go_build
from sark_e2e.program import CATALOGUE, ProgramError
from sark_e2e.progress import silent

FAKE_GO = """#!/bin/sh
if [ "$1" = env ]; then echo go1.99.0; exit 0; fi
echo "$*" >> {calls}
{body}
while [ "$1" != -o ]; do shift; done
echo built > "$2"
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log of a `go` that takes a moment and writes a file."""
    return fake_go(tmp_path, monkeypatch, "sleep 0.3")


def fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Path:
    calls = tmp_path / "calls"
    path = tmp_path / "bin" / "go"
    path.parent.mkdir()
    path.write_text(FAKE_GO.format(calls=calls, body=body))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    return calls


def test_a_program_is_built_into_the_cache_with_its_flags(tmp_path: Path, calls: Path):
    program = CATALOGUE["prometheus"]

    path = go_build.build(program, report=silent, cache=tmp_path / "cache")

    assert path == tmp_path / "cache" / f"prometheus-{program.digest()}"
    assert path.read_text() == "built\n"
    assert "-tags netgo,remove_all_sd,enable_kubernetes_sd" in calls.read_text()


def test_two_who_ask_at_once_cause_one_build(tmp_path: Path, calls: Path):
    # Given two callers
    paths: list[Path] = []

    def ask() -> None:
        paths.append(go_build.build(CATALOGUE["opa"], report=silent, cache=tmp_path / "cache"))

    threads = [threading.Thread(target=ask) for _ in range(2)]

    # When they ask at the same time
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # Then Go has run once and both have the program
    assert len(calls.read_text().splitlines()) == 1
    assert len(paths) == 2
    assert paths[0] == paths[1]


def test_a_new_build_replaces_the_older_one_of_the_same_program_only(tmp_path: Path, calls: Path):
    cache = tmp_path / "cache"
    cache.mkdir()
    stale, other = cache / ("opa-" + "0" * 16), cache / ("opa-extra-" + "0" * 16)
    stale.touch()
    other.touch()

    go_build.build(CATALOGUE["opa"], report=silent, cache=cache)

    assert not stale.exists()
    assert other.exists()


def test_a_failed_build_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # Given a Go that cannot build
    fake_go(tmp_path, monkeypatch, "echo 'undefined: frobnicate' >&2; exit 1")

    # When a program is asked for, then Go's own words are in the message
    with pytest.raises(ProgramError, match=r"opa could not be built(.|\n)*undefined: frobnicate"):
        go_build.build(CATALOGUE["opa"], report=silent, cache=tmp_path / "cache")

    # And nothing but the lock is left
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]
