"""What kubectl is told when the tabulator is pressed behind `kubectl sark-rollout`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sark_cli.arguments import RUNNERS, build
from sark_cli.completing import FILES, NO_FILES, completed, main
from sark_e2e.binaries import kubectl

PROGRAMS = Path(sys.executable).parent


@pytest.mark.parametrize(
    ("typed", "offered", "directive"),
    [
        ("ro", ["rollback"], NO_FILES),
        ("re", ["report", "resume", "retry"], NO_FILES),
        ("nothing-of-ours ", [], NO_FILES),
        ("rollback --as", ["--ask"], NO_FILES),
        ("rollback --ask ", ["proxy", "direct", "none"], NO_FILES),
        ("rollback --ask p", ["proxy"], NO_FILES),
        ("rollback --ask=d", ["--ask=direct"], NO_FILES),
        ("rollback --timeout ", [], NO_FILES),
        ("rollback --kubeconfig ", [], FILES),
        ("rollback --kubeconfig=/etc/k", [], FILES),
        ("rollback --kubeconfig -n", [], FILES),
        ("status -n shop -", None, NO_FILES),
        ("status gateway -o ", ["json", "yaml"], NO_FILES),
        ("status gateway ", [], NO_FILES),
        ("status -- --wa", [], NO_FILES),
        ("explain gateway --dec", ["--decision"], NO_FILES),
        ("completion ", ["bash", "zsh", "tcsh"], NO_FILES),
        ("completion bash ", [], NO_FILES),
        ("lint one.yaml two", [], FILES),
        ("simulate ", [], FILES),
    ],
)
def test_what_fits_is_offered(typed: str, offered: list[str] | None, directive: int) -> None:
    *before, last = typed.split(" ")
    lines, said = completed(before, last)

    assert said == directive
    if offered is not None:
        assert [line.partition("\t")[0] for line in lines] == offered


def test_all_commands_are_offered_with_what_they_do() -> None:
    lines, _ = completed([], "")

    assert [line.partition("\t")[0] for line in lines] == list(RUNNERS)
    assert all(line.partition("\t")[2] for line in lines)


def test_every_option_of_every_command_is_offered() -> None:
    for command in RUNNERS:
        offered = {line.partition("\t")[0] for line in completed([command], "-")[0]}
        known = next(action for action in build()._actions if action.dest == "command").choices
        assert known is not None
        assert offered == set(known[command]._option_string_actions)  # type: ignore[call-overload]


def test_what_kubectl_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], golden: Callable[[str, str], None]
) -> None:
    told = []
    for typed in ("", "status gateway -", "rollback --ask ", "lint "):
        monkeypatch.setattr(sys, "argv", ["kubectl_complete-sark_rollout", *typed.split(" ")])
        assert main() == 0
        told.append(f"$ kubectl sark-rollout {typed}<tab>\n{capsys.readouterr().out}")

    golden("kubectl-complete.txt", "".join(told))


@pytest.mark.parametrize(
    ("typed", "offered"), [("rollb", "rollback\t"), ("rollback --ask ", "proxy"), ("approve --per", "--percent\t")]
)
def test_kubectl_itself_asks_for_it(typed: str, offered: str) -> None:
    # Given kubectl with both programs on PATH, as `pip install` puts them there
    environment = os.environ | {"PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    command = [str(kubectl()), "__complete", "sark-rollout", *typed.split(" ")]

    # When the shell asks it what to offer
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)

    # Then it offers what we do, and no files
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.splitlines()
    assert first.startswith(offered)
    assert last == f":{NO_FILES}"


def test_it_begins_as_quickly_as_help() -> None:
    script = "import sys; from sark_cli import completing; completing.completed([], ''); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert not set(loaded.stdout.split()) & {"pydantic", "kubernetes", "rich", "yaml", "sark_api", "asyncio", "shtab"}
