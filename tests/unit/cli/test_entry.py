"""How the command is started: by its name, as a plugin, and wrongly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sark_cli import arguments
from sark_e2e.binaries import kubectl

PROGRAMS = Path(sys.executable).parent


def start(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{PROGRAMS}:{os.environ['PATH']}"} | variables
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


def test_kubectl_finds_it_as_a_plugin():
    done = start(str(kubectl()), "sark-rollout", "version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sark-rollout 0.")


def test_it_speaks_of_itself_by_the_name_it_was_called_by():
    assert arguments.program("/usr/bin/kubectl-sark_rollout") == "kubectl sark-rollout"
    assert arguments.program("/usr/bin/sark-rollout") == "sark-rollout"


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["stauts"],
        ["status"],
        ["status", "a", "b"],
        ["status", "a", "--timeout", "5x"],
        ["explain", "a", "--decision", "0"],
        ["lint", "a", "--traffic", "nan"],
        ["backtest", "a", "--prometheus", "ftp://x", "--start", "2026-01-01", "--end", "2026-01-02"],
        ["backtest", "a", "--prometheus", "http://x", "--start", "yesterday", "--end", "2026-01-02"],
        ["simulate", "a", "--out", "json"],
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_status_2(command: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        arguments.parse(command)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_help_imports_nothing_heavy():
    script = "import sys; from sark_cli import __main__, arguments; arguments.build().format_help(); print(*sys.modules)"
    loaded = set(start(sys.executable, "-c", script).stdout.split())
    assert not loaded & {"pydantic", "kubernetes", "rich", "yaml", "sark_api", "asyncio"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_every_shell_gets_a_completion_of_every_command(shell: str):
    done = start("sark-rollout", "completion", shell)
    assert done.returncode == 0
    assert [command for command in arguments.RUNNERS if command not in done.stdout] == []


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("ro", {"rollback"}),
        ("pro", {"promote"}),
        ("rollback --as", {"--ask"}),
        ("rollback --ask ", {"proxy", "direct", "none"}),
        ("explain gateway --dec", {"--decision"}),
    ],
)
def test_bash_completes_what_is_typed(typed: str, offered: set[str]):
    # Given a bash that has read the script, when words are typed and the tabulator is pressed
    words = f"sark-rollout {typed}".split(" ")
    line = " ".join(f"'{word}'" for word in words)
    script = (
        "source <(sark-rollout completion bash); "
        f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
        "$(complete -p sark-rollout | sed -E 's/.*-F ([^ ]+).*/\\1/') sark-rollout \"${COMP_WORDS[COMP_CWORD]}\" x; "
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = start("bash", "-c", script)

    # Then it offers what the command knows
    assert set(done.stdout.split()) == offered, done.stderr


def test_what_is_wrong_with_a_kubeconfig_is_said_without_what_it_holds(tmp_path: Path):
    broken = tmp_path / "config"
    broken.write_text("users:\n- name: x\n  user:\n    token: S3CRET: x\n", encoding="utf-8")
    done = start("sark-rollout", "list", KUBECONFIG=str(broken), HOME=str(tmp_path))
    assert done.returncode == 1
    said = "mapping values are not allowed here, line 4, column 18"
    assert done.stderr == f"error: cannot use the kubeconfig {broken}: {said}\n"


def test_a_missing_kubeconfig_is_said_without_a_traceback(tmp_path: Path):
    done = start("sark-rollout", "list", KUBECONFIG=str(tmp_path / "none"), HOME=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == f"error: there is no kubeconfig at {tmp_path / 'none'}: give --kubeconfig, or set KUBECONFIG\n"
