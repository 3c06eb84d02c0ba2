"""What docs/statistics.md promises of each line of the tables, and whether chance explains what was measured there.

Every run keeps its promise or does not, whatever the others do, and breaks it with at most the promised chance. So how often it
was broken follows a binomial distribution at worst, whose tail is reckoned exactly, in whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import Final

from sark_api.spec import Criteria

ALPHA: Final = Fraction(Criteria().false_revert_basis_points, 10_000)
"""Chance that a healthy rollout is ever taken back, with the default settings."""
OF_ONE: Final = ALPHA / 7
"""What `errorRate` has of it: there are seven such criteria with the default settings."""
LATE: Final = Fraction(1, 10)
"""Part of the bad arms that may be taken back later than promised."""
DOUBT: Final = Fraction(1, 1000)
"""Chance that a check fails although every promise is kept: so small that it does not, and that of all lines together."""
LEAST_RUNS: Final = 50
"""Runs below which a promise that is never kept would be explained by chance, where a fifth of them is used."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One line of a table, and how often it was not as promised."""

    line: str
    what: str
    """What should not happen to a run, as the end of a sentence that begins with a number of them."""
    broken: int
    runs: int
    chance: Fraction
    """How likely it may be at most."""


def permitted(runs: int, chance: Fraction, doubt: Fraction) -> int:
    """Return the most of `runs` in which something of this `chance` happens, except with a probability of `doubt` at most."""
    happens, of = chance.as_integer_ratio()
    left, enough, most = of**runs, doubt * of**runs, -1
    while left > enough:
        most += 1
        left -= comb(runs, most) * happens**most * (of - happens) ** (runs - most)
    return most


def unkept(promises: Sequence[Promise], doubt: Fraction = DOUBT) -> list[str]:
    """Return a sentence for each promise that was broken more often than chance explains, `doubt` shared by all of them."""
    sentences = []
    for promise in promises:
        most = permitted(promise.runs, promise.chance, doubt / len(promises))
        if promise.broken > most:
            measured = f"{promise.line}: {promise.broken} of {promise.runs} {promise.what}"
            sentences.append(f"{measured}, and a chance of {float(promise.chance):.2%} explains {most} at most")
    return sentences
