"""What every reading and planning command prints for programs, character by character, and that both forms say the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sark_cli.__main__ import main
from sark_cli.connection import Connection

EXAMPLE = Path(__file__).parents[3] / "examples" / "gateway.yaml"
MISTAKES = """apiVersion: sark.dev/v1alpha1
kind: SarkRollout
metadata: {name: gateway}
spec:
  target: {matchLabels: {app: gateway}, flagsConfigMap: "Not a name"}
  prometheus: {address: "http://prometheus:9090"}
  interval: 5x
"""
COMMANDS = {
    "list": "list",
    "status": "status baking",
    "explain": "explain baking",
    "explain-decision": "explain reverted --decision 3",
    "history": "history reverted",
    "simulate": f"simulate {EXAMPLE} --traffic 200 --start 2026-01-01T12:00:00Z",
    "lint": "lint rollout.yaml",
}


@pytest.fixture
def printed(
    body: Callable[[str], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Callable[[str], str]:
    """Return what a command prints beside a cluster whose rollouts are those of `rollouts/`, by the names of their files."""

    class Shelf:
        def get(self, _namespace: str, name: str) -> dict[str, Any]:
            return body(name)

        def all(self, _namespace: str) -> list[dict[str, Any]]:
            return [body("fresh")]

    for module in ("list", "status", "explain", "history"):
        monkeypatch.setattr(f"sark_cli.commands.{module}.connect", lambda _: Connection(None, "shop", "https://kubernetes"))
        monkeypatch.setattr(f"sark_cli.commands.{module}.Rollouts", lambda _: Shelf())
    monkeypatch.chdir(tmp_path)
    Path("rollout.yaml").write_text(MISTAKES, encoding="utf-8")

    def run(command: str) -> str:
        main(command.split())
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("data_format", ["json", "yaml"])
@pytest.mark.parametrize("name", COMMANDS)
def test_data(name: str, data_format: str, printed: Callable[[str], str], golden: Callable[[str, str], None]) -> None:
    golden(f"data/{name}.{data_format}", printed(f"{COMMANDS[name]} -o {data_format}"))


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_both_forms_say_the_same(command: str, printed: Callable[[str], str]) -> None:
    as_json, as_yaml = (printed(f"{command} -o {data_format}") for data_format in ("json", "yaml"))

    assert json.loads(as_json) == yaml.safe_load(as_yaml)
