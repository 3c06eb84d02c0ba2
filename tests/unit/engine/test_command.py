"""`python -m sark_engine`: what it prints and how it exits."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sark_engine import __version__
from sark_engine._command import main
from sark_engine._query import path_of

SOURCE = """package authz
default allow := false
allow if input.user == "alice"
name := input.user
tree := {"b": [1, {"x": null}], "a": "<é>", "none": [], "s": {3, 1}}
nothing := null
conflict := 1 if input.user
conflict := 2 if input.user
remote := http.send({"url": "http://localhost", "method": "get"})
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "p" / "sub").mkdir(parents=True)
    (tmp_path / "p" / "authz.rego").write_text(SOURCE)
    (tmp_path / "p" / "sub" / "data.json").write_text('{"any name": ["x", "y"]}')
    (tmp_path / "input.json").write_text('{"user": "alice"}')
    monkeypatch.chdir(tmp_path)
    return tmp_path


ASK = ["eval", "-d", "p", "-i", "input.json"]


@pytest.mark.parametrize(
    ("form", "query", "printed"),
    [
        ("raw", "data.authz.allow", "true\n"),
        ("raw", "data.authz.name", "alice\n"),
        ("raw", "data.authz.nope", ""),
        ("raw", "data.authz.nothing", "null\n"),
        ("raw", 'data.sub["any name"][1]', "y\n"),
        ("raw", "data.authz.tree", '{"a":"\\u003cé\\u003e","b":[1,{"x":null}],"none":[],"s":[1,3]}\n'),
        ("pretty", "data.authz.name", '"alice"\n'),
        ("pretty", "data.authz.nope", "undefined\n"),
        ("pretty", "data.sub", '{\n  "any name": [\n    "x",\n    "y"\n  ]\n}\n'),
        ("values", "data.authz.allow", "[\n  true\n]\n"),
        ("values", "data.authz.nope", ""),
        ("json", "data.authz.nope", "{}\n"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_value_is_printed_as_opa_prints_it(form: str, query: str, printed: str, capsys: pytest.CaptureFixture[str]):
    assert main([*ASK, "-f", form, query]) == 0
    assert capsys.readouterr() == (printed, "")


@pytest.mark.usefixtures("folder")
def test_the_default_is_opas_result_document(capsys: pytest.CaptureFixture[str]):
    assert main([*ASK, "data.authz.allow"]) == 0
    expression = {"value": True, "text": "data.authz.allow", "location": {"row": 1, "col": 1}}
    assert capsys.readouterr().out == json.dumps({"result": [{"expressions": [expression]}]}, indent=2) + "\n"


@pytest.mark.parametrize(
    ("flag", "query", "status"),
    [
        ("--fail", "data.authz.allow", 0),
        ("--fail", "data.authz.nothing", 0),
        ("--fail", "data.authz.nope", 1),
        ("--fail", "data.authz.conflict", 2),
        ("--fail-defined", "data.authz.nope", 0),
        ("--fail-defined", "data.authz.allow", 1),
        ("--fail-defined", "data.authz.nothing", 1),
        ("--fail-defined", "data.authz.conflict", 2),
    ],
)
@pytest.mark.usefixtures("folder")
def test_the_exit_status_is_opas(flag: str, query: str, status: int):
    assert main([*ASK, flag, query]) == status


def test_the_input_may_come_from_standard_input(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"user": "bob"}')))
    assert main(["eval", "-d", str(folder / "p"), "-I", "-f", "raw", "data.authz.name"]) == 0
    assert capsys.readouterr().out == "bob\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([*ASK, "data.authz.conflict"], "evaluation", "conflict"),
        ([*ASK, "data.authz.remote"], "unsupported_builtin", "http.send"),
        ([*ASK, "x := data.authz.allow"], "input", "whole queries are not answered"),
        (["eval", "-d", "nowhere", "data.x"], "policy", "nowhere: "),
        (["eval", "-d", "p", "-i", "nowhere.json", "data.x"], "input", "nowhere.json: No such file"),
        (["eval", "-d", "p", "-i", "p/authz.rego", "data.authz.name"], "input", "not valid JSON"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_without_a_decision_the_reason_is_given_and_the_status_is_2(
    arguments: list[str], code: str, message: str, capsys: pytest.CaptureFixture[str]
):
    assert main(arguments) == 2
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert error["code"] == code
    assert message in error["message"]
    assert main([*arguments, "-f", "raw"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"error: {error['message']}\n"


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("data", ""),
        (" data.a.b ", "a/b"),
        ('data["a b"].c[0][-1]', "a b/c/0/-1"),
        (r'data["\u00e4"]', "ä"),
        ("data.data", "data"),
    ],
)
def test_a_query_that_is_a_path_into_data(query: str, path: str):
    assert path_of(query) == path


@pytest.mark.parametrize(
    "query", ["", "input.x", "database", "data.", "data.a b", "data[x]", 'data["a/b"]', "data.a == 1", "1", 'data["\\x"]']
)
@pytest.mark.usefixtures("folder")
def test_a_query_that_is_none_is_refused(query: str):
    assert main([*ASK, query]) == 2


@pytest.mark.usefixtures("folder")
def test_check_prints_who_answers_for_each_rule(capsys: pytest.CaptureFixture[str]):
    assert main(["check", "-d", "p"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["RULE", "SERVED", "BY", "TIER", "REASON"]
    rows = {line.split()[0]: line.split()[1] for line in lines[1:-1]}
    assert rows["data/authz/remote"] == "baseline"
    assert {rule for rule, served_by in rows.items() if served_by == "rust"} == set(rows) - {"data/authz/remote"}
    assert "http.send" in next(line for line in lines if "remote" in line)
    assert lines[-1].startswith("5 of 6 rules are served by rust; policy revision ")


def test_check_fails_when_it_is_strict_and_a_rule_is_left_to_the_baseline(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["check", "-d", "p", "--strict", "-f", "json"]) == 1
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document["rules"]["authz/remote"]["served_by"] == "baseline"
    (folder / "p" / "authz.rego").write_text("package authz\nallow := true")
    assert main(["check", "-d", "p", "--strict"]) == 0
    (folder / "p" / "authz.rego").write_text("package authz\nallow if {")
    assert main(["check", "-d", "p"]) == 2


@pytest.mark.parametrize(
    "arguments",
    [[], ["eval"], ["ask"], [*ASK, "--fail", "--fail-defined", "data"], [*ASK, "-I", "data"], [*ASK, "--timeout", "0", "data"]],
)
def test_a_command_that_cannot_be_understood_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "usage: python -m sark_engine" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["eval", "--help"], ["check", "--help"], ["--version"]])
def test_help_and_version(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 0
    told = capsys.readouterr().out
    assert (__version__ in told) if arguments == ["--version"] else ("Exit status: 0" in told or "COMMAND" in told)


def test_a_reader_that_has_seen_enough_is_no_error(folder: Path):
    rules = "\n".join(f"rule_{number} := {number}" for number in range(5_000))
    (folder / "p" / "authz.rego").write_text(f"package authz\n{rules}")
    command = [sys.executable, "-m", "sark_engine", "check", "-d", "p"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 2
