"""No command in the documentation names a program, target, command or option that does not exist.

What can be run on a cluster is run by tests/integration/test_documented_commands.py. Both read the same commands.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from sark_api.names import KIND
from sark_cli.arguments import RUNNERS, parse
from sark_cli.lint.check import check
from sark_cli.lint.documents import read
from sark_cli.lint.finding import Level
from sark_e2e.documented import Block, Command, blocks, commands
from sark_e2e.prometheus import relabeling
from sark_operator.shell.settings import _parser
from sark_sidecar.settings import Settings

ROOT = Path(__file__).parents[3]
COMMANDS = list(commands())
BLOCKS = list(blocks())

NOT_LOOKED_AT = {
    "cd crates/sark-engine-py && maturin develop --release": "builds with Rust for minutes; `make setup` does the same",
    "cargo test --locked --profile thin --workspace": "is what `make test-rust` runs",
    "cargo clippy --locked --profile thin --workspace --all-targets -- -D warnings": "is what `make check-rust` runs",
    "apt-get install containerd runc containernetworking-plugins iptables buildah debootstrap": "installs on the machine",
    "sudo make e2e": "wants root and programs of the machine",
    "sudo make e2e ARGUMENTS=-k breach": "wants root and programs of the machine",
}
"""Commands of other programs, with the reason why nothing here looks at them. May only shrink."""

HELM = {"install", "uninstall", "upgrade", "template", "lint"}
KUBECTL = {
    *("apply", "create", "delete", "explain", "get", "label", "patch", "wait"),
    *("cordon", "describe", "drain", "edit", "exec", "logs", "port-forward", "rollout", "scale", "sark-rollout", "uncordon"),
}
"""Verbs that the pages use; those of the first line are run by the other half of these tests."""
LANGUAGES = {"", "console", "json", "python", "sh", "yaml"}


def of(*programs: str) -> list[Any]:
    return [pytest.param(one, id=str(one)) for one in COMMANDS if one.program in programs]


def told(command: Command) -> str:
    return " ".join(command.words)


@cache
def help_of(*command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command, "--help"], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_every_command_is_of_a_program_that_is_looked_at():
    known = {"make", "sark-rollout", "sark-operator", "sark-sidecar", "helm", "kubectl", "promtool", "pytest"}
    others = {told(one) for one in COMMANDS if one.program not in known and not one.program.startswith("sark_")}
    assert others == set(NOT_LOOKED_AT), "look at the new one here, or give the reason why not; take off what is gone"


def test_every_target_of_make_exists_and_every_variable_is_one():
    words = [word for one in COMMANDS if one.program == "make" for word in one.words[1:]]
    variables = {word for word in words if "=" in word}
    targets = sorted(set(words) - variables)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [name for name in {word.split("=")[0] for word in variables} if not re.search(rf"\b{name}\b", makefile)] == []
    done = subprocess.run(
        ["make", "--dry-run", *targets, *sorted(variables)], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", of("sark-rollout"))
def test_the_command_takes_what_is_written(command: Command, capsys: pytest.CaptureFixture[str]):
    words = command.words[1:]
    assert words[0] in RUNNERS
    if command.in_block:
        parse(words)
        return
    # A sentence may name a command without what it is done to.
    with pytest.raises(SystemExit):
        parse([words[0], "--help"])
    text = capsys.readouterr().out
    assert [option for option in command.options if option not in text] == []


@pytest.mark.parametrize("command", of("sark-operator"))
def test_the_operator_knows_its_options(command: Command):
    text = _parser({}).format_help()
    assert [option for option in command.options if option not in text] == []


@pytest.mark.parametrize("command", of("sark-sidecar"))
def test_the_sidecar_knows_its_options(command: Command):
    text = help_of("sark_sidecar", "replay") if "replay" in command.words else help_of("sark_sidecar", "run")
    assert [option for option in command.options if option not in text] == []


@pytest.mark.parametrize("command", [pytest.param(one, id=str(one)) for one in COMMANDS if one.program.startswith("sark_")])
def test_a_module_knows_its_options(command: Command):
    subcommand = [word for word in command.words[3:4] if command.program == "sark_engine"]
    text = help_of(command.program, *subcommand)
    assert [option for option in command.options[1:] if option not in text] == []


@pytest.mark.parametrize("command", of("helm", "kubectl", "promtool", "pytest"))
def test_what_others_provide_is_asked_for_what_is_there(command: Command):
    verb = next((word for word in command.words[1:] if word in HELM | KUBECTL | {"test", "check"}), None)
    assert verb is not None or command.program == "pytest"
    files = [word for word in command.words if re.match(r"(charts|crds|examples|manifests|tests)/", word)]
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_blocks_are_of_known_languages():
    assert {block.language for block in BLOCKS} <= LANGUAGES


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "json"], ids=str)
def test_json_is_json(block: Block):
    json.loads(block.text)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "python"], ids=str)
def test_python_compiles_and_imports_what_is_there(block: Block):
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sark_"):
            module = importlib.import_module(str(node.module))
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "yaml"], ids=str)
def test_yaml_is_what_it_says(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A rollout is linted, settings are read by the sidecar's own model; other kinds meet their programs elsewhere."""
    [document] = yaml.safe_load_all(block.text)
    if not isinstance(document, dict):
        assert all("alert" in rule for rule in document)
    elif document.get("kind") == KIND:
        (tmp_path / "rollout.yaml").write_text(block.text, encoding="utf-8")
        [found] = read(str(tmp_path / "rollout.yaml"))
        assert [one for one in check(found) if one.level is Level.ERROR] == []
    elif set(document) <= set(Settings.model_fields):
        monkeypatch.setenv("SARK_SIDECAR_FLAGS__NAMESPACE", "shop")
        Settings(**({"policies": {"directory": tmp_path}} | document))
    elif "scrape_configs" in document:
        assert [each["relabel_configs"] for each in document["scrape_configs"]] == [relabeling()]
    else:
        assert {"kind", "servers", "sidecars", "fleets", "receivers"} & set(document), "what kind of YAML is this?"
