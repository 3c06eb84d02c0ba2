"""`sark-sidecar`: what is meant without a command, and how each refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from sark_sidecar.__main__ import outcome
from sark_sidecar.commands import run


@pytest.mark.parametrize("command", [[], ["run"]])
def test_without_a_command_run_is_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]):
    file = tmp_path / "sidecar.yaml"
    file.write_text("policies: {directory: /nowhere/at/all}\n", encoding="utf-8")
    assert outcome([*command, "--config", str(file), "--check"]) == 1
    assert "/nowhere/at/all" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--config", "/no/file"], ["replay", "--config", "/no/file", "log"]])
def test_a_configuration_that_cannot_be_read_is_one_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str]):
    assert outcome(arguments) == 1
    assert (
        capsys.readouterr().err
        == "sark-sidecar: configuration refused: configuration file /no/file: No such file or directory\n"
    )


@pytest.mark.parametrize("arguments", [["--help"], ["replay", "--help"], ["run", "--help"]])
def test_help_names_the_commands_or_the_options(capsys: pytest.CaptureFixture[str], arguments: list[str]):
    with pytest.raises(SystemExit) as ended:
        outcome(arguments)
    assert ended.value.code == 0
    assert ("replay" if arguments == ["--help"] else "--config") in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["replay"], ["replay", "--concurrency", "0", "x"], ["replay", "--show", "-1", "x"]]
)
def test_wrong_arguments_are_refused(capsys: pytest.CaptureFixture[str], arguments: list[str]):
    with pytest.raises(SystemExit) as ended:
        outcome(arguments)
    assert ended.value.code != 0


def test_a_fault_that_nobody_foresaw_is_told_and_ends_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    # Given a part that breaks as nobody thought it would
    def breaks(_: object) -> int:
        raise ZeroDivisionError("a part broke")

    monkeypatch.setattr(run, "run", breaks)
    # When the command meets it, then it returns, so that the end waits for no thread, and says where
    assert outcome([]) == 1
    told = capsys.readouterr().err
    assert told.startswith("sark-sidecar: ended by a fault that nobody foresaw\n")
    assert "in breaks" in told
    assert "ZeroDivisionError: a part broke" in told
