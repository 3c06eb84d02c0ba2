"""`python -m sark_engine eval` prints what the real `opa eval` prints, and exits as it does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sark_e2e import binaries

AUTHZ = """package authz
default allow := false
allow if input.user in data.teams.admins
name := input.user
tree := {"b": [1, 2.5, {"x": null}], "a": "</script>&é\u2028", "none": [], "empty": {}, "s": {3, 1}}
nothing := null
text := "two\\nlines"
number := 12345678901234567890
conflict := 1 if input.user
conflict := 2 if input.user
"""
QUERIES = ["allow", "name", "tree", "nothing", "text", "number", "nope", "tree.b[2]", 'tree["a"]', "s", "conflict"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "p" / "teams").mkdir(parents=True)
    (tmp_path / "p" / "authz.rego").write_text(AUTHZ)
    (tmp_path / "p" / "teams" / "some.json").write_text('{"admins": ["alice"], "size": 1.5}')
    (tmp_path / "p" / "notes.txt").write_text("neither reads this")
    (tmp_path / "more.json").write_text('{"teams": {"readers": ["bob"]}, "top": {"b": 1, "a": []}}')
    (tmp_path / "input.json").write_text('{"user": "alice"}')
    (tmp_path / "broken.json").write_text("{")
    return tmp_path


def run(command: list[str], folder: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, input=stdin, capture_output=True, text=True, check=False, timeout=60)


def both(folder: Path, arguments: list[str], stdin: str = "") -> tuple[subprocess.CompletedProcess[str], ...]:
    opa, ours = [str(binaries.program("opa"))], [sys.executable, "-m", "sark_engine"]
    return tuple(run([*program, "eval", *arguments], folder, stdin) for program in (opa, ours))


@pytest.mark.parametrize("form", ["json", "values", "pretty", "raw"])
def test_every_value_is_printed_alike(folder: Path, form: str):
    for query in [*(f"data.authz.{name}" for name in QUERIES), "data.teams", "data.top", "data.nowhere"]:
        opa, ours = both(folder, ["-d", "p", "-d", "more.json", "-i", "input.json", "-f", form, query])
        assert ours.returncode == opa.returncode, (query, ours.stderr)
        if opa.returncode == 0:
            assert ours.stdout == opa.stdout, query
            assert ours.stderr == ""
        else:
            # Both give a reason, each in its own words.
            assert bool(ours.stderr) == bool(opa.stderr), query
            assert bool(ours.stdout) == bool(opa.stdout), query


@pytest.mark.parametrize("flag", ["--fail", "--fail-defined"])
def test_both_fail_for_the_same_reasons(folder: Path, flag: str):
    for query in ("allow", "nope", "nothing", "tree.none", "tree.empty", "conflict"):
        opa, ours = both(folder, ["-d", "p", "-i", "input.json", flag, f"data.authz.{query}"])
        assert ours.returncode == opa.returncode, query


def test_both_read_the_input_from_standard_input(folder: Path):
    opa, ours = both(folder, ["-d", "p", "--stdin-input", "--format", "raw", "data.authz.name"], '{"user": "bob"}')
    assert ours.stdout == opa.stdout == "bob\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["-d", "nowhere", "data"],
        ["-d", "p", "-d", "broken.json", "data"],
        ["-d", "p", "-i", "nowhere.json", "data"],
        ["-d", "p", "-i", "broken.json", "data"],
        ["-d", "p", "data.authz.allow {"],
    ],
)
def test_both_exit_with_2_when_they_cannot_answer(folder: Path, arguments: list[str]):
    opa, ours = both(folder, arguments)
    assert ours.returncode == opa.returncode == 2
