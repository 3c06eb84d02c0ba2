"""A finding is judged by its median, and the tables say which goals are met."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from sark_e2e.bench.engine.__main__ import main
from sark_e2e.bench.engine.finding import Finding, at_least, at_most
from sark_e2e.bench.engine.table import amount, beside_table, goals_table, summary_line

FAST = Finding("hit", "decisions/s of the bare responder's", (0.9, 0.97, 1.0), "x", at_least(0.95))
SLOW = Finding("hit", "p95", (250.0,), "us", at_most(100))
BESIDE = Finding("hit", "OPA", (25_000.4,), "/s")


def text(table: object) -> str:
    written = StringIO()
    Console(file=written, width=120).print(table)
    return written.getvalue()


def test_the_median_is_judged():
    assert FAST.met is True
    assert SLOW.met is False
    assert BESIDE.met is None
    assert FAST.as_members() | {"median": 0.97, "lowest": 0.9, "highest": 1.0, "met": True} == FAST.as_members()


def test_a_figure_that_is_not_a_number_meets_nothing():
    nothing = (float("nan"),)

    assert Finding("hit", "", nothing, "x", at_least(1)).met is False
    assert Finding("hit", "", nothing, "x", at_most(1)).met is False


def test_a_limit_itself_is_met():
    assert at_least(2).allows(2)
    assert at_most(2).allows(2)


def test_goals_are_shown_with_what_was_measured():
    lines = text(goals_table([FAST, SLOW, BESIDE], "Engine", plain=True)).splitlines()

    assert lines[2].split()[-6:] == [">=", "0.95x", "0.97x", "0.90", "-", "1", "yes"][-6:]
    assert lines[3].split() == ["p95", "<=", "100", "us", "250", "us", "NO"]
    assert not any("OPA" in line for line in lines)
    assert summary_line([FAST, SLOW, BESIDE]) == "goals met: 1 of 2"


def test_what_has_no_goal_stands_in_a_table_of_its_own():
    lines = text(beside_table([FAST, SLOW, BESIDE], "Beside them", plain=True)).splitlines()

    assert [line.split() for line in lines[2:]] == [["hit", "OPA", "25,000/s"]]


@pytest.mark.parametrize(
    ("figure", "unit", "shown"),
    [(0.168, "us", "0.17 us"), (8.0, "x", "8x"), (12.34, "s", "12.3 s"), (150.0, "MB", "150 MB"), (9_999.6, "/s", "10,000/s")],
)
def test_an_amount_has_the_digits_that_mean_something(figure: float, unit: str, shown: str):
    assert amount(figure, unit) == shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--rounds", "0"], "invalid choice"),
        (["--seconds", "0"], "it is '0'; it must be 0.1 to 120 seconds"),
        (["--seconds", "nan"], "it is 'nan'; it must be 0.1 to 120 seconds"),
        (["--only", "speed"], "invalid choice"),
        (["--document", "--quick"], "--document wants a whole run"),
        (["--document", "--only", "hit"], "--document wants a whole run"),
        (["--document", "--awake", "0"], "--document wants a whole run"),
        (["--awake", "1"], "it is '1'; it must be 0 to 0.1 seconds, such as 0.0001"),
        (["--awake", "nan"], "it is 'nan'; it must be 0 to 0.1 seconds"),
    ],
)
def test_a_wrong_option_is_refused(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(arguments)

    assert sentence in capsys.readouterr().err
