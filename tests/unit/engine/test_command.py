"""`python -m sark_engine`: what it prints and how it exits."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sark_engine import Engine, Policies, __version__
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
        ([*ASK, 'data.sub["any name"]["1"]'], "input", "a text that looks like a number is read as an index"),
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
        ('data["1.5"]["1a"]["-"][" 7"]', "1.5/1a/-/ 7"),
    ],
)
def test_a_query_that_is_a_path_into_data(query: str, path: str):
    assert path_of(query) == path


@pytest.mark.parametrize(
    "query",
    [
        *("", "input.x", "database", "data.", "data.a b", "data[x]", 'data["a/b"]', "data.a == 1", "1", 'data["\\x"]'),
        *(f'data.a["{number}"]' for number in ("0", "-1", "+1", "01", "1.0", ".", "99999999999999999999")),
    ],
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


@pytest.mark.parametrize("form", ["raw", "pretty", "values", "json"])
def test_a_number_is_printed_as_the_engine_has_written_it(folder: Path, form: str, capsys: pytest.CaptureFixture[str]):
    # given numbers that Python would write otherwise
    numbers = "[0.00001,1e-7,1.50,100000000000000000000000,1.7976931348623157e308]"
    (folder / "p" / "numbers").mkdir()
    (folder / "p" / "numbers" / "data.json").write_text(f'{{"n": {numbers}}}')
    written = Engine(Policies.from_paths([folder / "p"])).evaluate("numbers/n")
    assert written is not None
    # when, then
    assert main(["eval", "-d", "p", "-f", form, "data.numbers.n"]) == 0
    assert written.decode().strip("[]") in "".join(capsys.readouterr().out.split())


def test_the_output_is_utf_8_whatever_the_locale(folder: Path):
    command = [sys.executable, "-m", "sark_engine", *ASK, "-f", "raw", "data.authz.tree.a"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "<é>\n".encode(), b"")


@pytest.mark.usefixtures("folder")
def test_a_fault_of_its_own_is_no_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    # given a fault that nobody has thought of
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("sark_engine._command.path_of", fail)
    # when, then the status is not that of --fail
    assert main([*ASK, "--fail", "data.authz.allow"]) == 2
    assert json.loads(capsys.readouterr().out) == {"errors": [{"message": "RuntimeError: a bug", "code": "internal"}]}
    assert main([*ASK, "-f", "raw", "data.authz.allow"]) == 2
    assert capsys.readouterr() == ("", "error: RuntimeError: a bug\n")


def test_an_interrupt_ends_it_in_the_middle_of_an_evaluation(folder: Path):
    # given an evaluation that takes long
    loops = "some i in numbers.range(1, 90000); some j in numbers.range(1, 90000); i == j"
    (folder / "p" / "authz.rego").write_text(f"package authz\nslow := count([1 | {loops}])")
    command = [sys.executable, "-m", "sark_engine", "eval", "-d", "p", "-I", "--timeout", "90", "data.authz.slow"]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdin is not None
            # More than a pipe holds: when it is written, the command reads it.
            process.stdin.write(b" " * 1_000_000 + b"{}")
            process.stdin.close()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
            # when, then
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == -signal.SIGINT
        finally:
            process.kill()
