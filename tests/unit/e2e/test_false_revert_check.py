"""What `make false-reverts CHECK=1` calls a broken promise: what chance does not explain, and nothing else."""

from __future__ import annotations

import sys
from fractions import Fraction
from math import comb

import pytest

from sark_e2e.false_reverts import __main__ as command
from sark_e2e.false_reverts import tables
from sark_e2e.false_reverts.promise import ALPHA, LATE, OF_ONE, Promise, permitted, unkept
from sark_e2e.false_reverts.rules import NEEDED


def tail(runs: int, chance: float, more_than: int) -> float:
    return sum(comb(runs, each) * chance**each * (1 - chance) ** (runs - each) for each in range(more_than + 1, runs + 1))


@pytest.mark.parametrize(
    ("runs", "chance", "doubt"), [(200, ALPHA, 1e-3), (200, OF_ONE, 1e-5), (20, LATE, 1e-5), (500, Fraction(1, 2), 1e-3)]
)
def test_what_is_permitted_is_the_quantile_of_a_binomial_distribution(runs: int, chance: Fraction, doubt: float) -> None:
    most = permitted(runs, chance, Fraction(doubt))

    assert tail(runs, float(chance), most) <= doubt < tail(runs, float(chance), most - 1)


def test_the_part_of_one_criterion_is_what_its_evidence_is_needed_for() -> None:
    assert Fraction(1, 100) == ALPHA
    assert 1 / OF_ONE == NEEDED


def test_a_promise_is_broken_where_chance_does_not_explain_it() -> None:
    # Given two lines of which one is just explained by chance, each with half of the doubt
    most = permitted(200, ALPHA, Fraction(1, 2000))
    lines = [Promise(f"line {number}", "healthy bakes were taken back", most + number, 200, ALPHA) for number in (0, 1)]

    assert unkept(lines) == [
        f"line 1: {most + 1} of 200 healthy bakes were taken back, and a chance of 1.00% explains {most} at most"
    ]


def check(monkeypatch: pytest.MonkeyPatch, broken: int, *arguments: str) -> None:
    """Run the command with --check, where a table found a promise `broken` so often in 200 runs."""
    promise = Promise("a line", "healthy bakes were taken back", broken, 200, ALPHA)
    monkeypatch.setitem(tables.TABLES, "healthy", lambda *_: [promise])  # type: ignore[index]
    monkeypatch.setattr(sys, "argv", ["false_reverts", "--table", "healthy", "--check", *arguments])
    command.main()


def test_the_check_passes_when_all_is_explained_by_chance(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    check(monkeypatch, 8)

    assert capsys.readouterr().out.startswith("\n1 promises kept (seed 1")


def test_the_check_ends_with_1_and_says_what_was_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as ended:
        check(monkeypatch, 9)

    assert ended.value.code == (
        "error: a line: 9 of 200 healthy bakes were taken back, and a chance of 1.00% explains 8 at most."
    )


def test_a_check_of_few_runs_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        check(monkeypatch, 0, "--runs", "20")

    assert ended.value.code == 2
    assert "--check needs --runs 50 or more" in capsys.readouterr().err


def test_a_bad_arm_that_is_not_found_in_time_is_a_broken_promise() -> None:
    # Given half of the bad arms taken back late
    late = tables._in_time("2% from the start", [1.0] * 10 + [720.0] * 10, minutes=15)

    assert unkept([late]) == [
        "2% from the start: 10 of 20 bad arms were not taken back within 15 min, and a chance of 10.00% explains 7 at most"
    ]
