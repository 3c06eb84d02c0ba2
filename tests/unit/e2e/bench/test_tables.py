"""The tables say what the numbers say, and a pipe gets them without lines."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from sark_e2e.bench.__main__ import main
from sark_e2e.bench.decisions import Effort, Row
from sark_e2e.bench.legs import Instants, legs
from sark_e2e.bench.machine import Machine
from sark_e2e.bench.tables import decisions_table, machine_lines, reaction_table, share

ROW = Row("rust", 16, 50_000.0, 49_000.0, 51_234.0, 0.5, 210.0, 480.0, 1_234.5, 11.25)
EFFORT = Effort(rounds=3, seconds=2, connections=(16, 1))


def text(table: object) -> str:
    written = StringIO()
    Console(file=written, width=120).print(table)
    return written.getvalue()


def test_a_row_has_its_numbers_in_milliseconds():
    shown = text(decisions_table([ROW], {"rust": "rust arm"}, EFFORT, 16, plain=True))

    line = next(line for line in shown.splitlines() if line.startswith("rust arm"))
    assert line.split() == ["rust", "arm", "50,000", "49,000", "-", "51,234", "50%", "0.210", "0.480", "1.234", "11.2"]
    assert shown.isascii()


def test_rows_of_other_numbers_of_connections_are_left_out():
    assert "rust arm" not in text(decisions_table([ROW], {"rust": "rust arm"}, EFFORT, 1, plain=True))


def test_the_reaction_shows_every_repetition():
    shown = text(reaction_table(legs([Instants(1, 2, 3.5, 4, 4, 4.25), Instants(1, 2, 3, 4, 5, 6)]), plain=True))

    line = next(line for line in shown.splitlines() if line.startswith("first bad request -> last"))
    assert line.split()[-4:] == ["3,125", "4,000", "2,250", "4,000"]


def test_the_machine_is_shown():
    lines = "\n".join(machine_lines(Machine("Some CPU", 2, 23.6, "Linux 6", 0.5, "release", {"opa": "1.0.0"})))

    assert "Some CPU, 2 cores, 24 GiB, Linux 6" in lines
    assert "build_profile release" in lines
    assert "opa 1.0.0" in lines


@pytest.mark.parametrize(("ratio", "shown"), [(1.0, "100%"), (0.344, "34%"), (0.0187, "1.9%")])
def test_a_share_shows_what_there_is(ratio: float, shown: str):
    assert share(ratio) == shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--rounds", "0"], "it is '0'; it must be a whole number from 1 to 100"),
        (["--seconds", "1.5"], "it is '1.5'; it must be a whole number from 1 to 120"),
        (["--connections", "1"], "it is '1'; it must be a whole number from 2 to 256"),
        (["--only", "latency"], "invalid choice"),
    ],
)
def test_a_wrong_option_is_refused(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(arguments)

    assert sentence in capsys.readouterr().err
