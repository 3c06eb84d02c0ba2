"""Every block of code in the engine's README does what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from sark_engine import EngineError

README = Path(__file__).parents[3] / "engine-rs" / "crates" / "sark-engine-py" / "README.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README.read_text(), flags=re.MULTILINE | re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]
COMMANDS = [line for language, code in BLOCKS if language == "sh" for line in code.splitlines()]


def test_all_code_is_of_a_kind_that_is_run():
    assert {language for language, _ in BLOCKS} == {"python", "sh"}
    assert len(PYTHON) >= 7


@pytest.mark.parametrize("code", PYTHON, ids=lambda code: code.splitlines()[-1][:40])
def test_python_runs(code: str):
    assert "assert" in code
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102 - our own file


@pytest.mark.parametrize("command", [line for line in COMMANDS if not line.startswith("pip ")])
def test_commands_run(command: str, tmp_path: Path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "authz.rego").write_text('package authz\nallow if input.user == "alice"')
    (tmp_path / "input.json").write_text('{"user": "alice"}')
    python, *arguments = shlex.split(command)
    assert python == "python"
    done = subprocess.run([sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "true" in done.stdout or "1 of 1 rules are served by rust" in done.stdout


def test_what_is_installed_is_this_package():
    assert [line for line in COMMANDS if line.startswith("pip ")] == ["pip install sark-engine"]


def test_the_table_of_errors_is_the_tree():
    rows = re.findall(r"^\| `(\w+)` \| (`.*?`) \|", README.read_text(), flags=re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)`", below)) for name, below in rows}

    def tree(error: type[BaseException]) -> dict[str, set[str]]:
        mine = {error.__name__: {base.__name__ for base in error.__bases__}}
        return mine | {name: bases for child in error.__subclasses__() for name, bases in tree(child).items()}

    assert told == tree(EngineError)
