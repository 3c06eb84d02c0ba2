"""What each rule does to a whole bake: how often it takes a healthy arm back, and how soon a bad one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from random import Random
from typing import NamedTuple

from sark_operator.core.sequential import wager

from .arms import BAKE, PER_MINUTE, Arms, Window
from .rules import LIMIT, NEEDED, Operators, Recent, Textbook, plain
from .runs import each_of

GIVEN_UP = 12 * 60 * PER_MINUTE
"""Windows after which a bad arm counts as not found."""


class Taken(NamedTuple):
    """Whether a healthy arm was taken back, or the share of the runs in which it was."""

    plainly: float
    """By the plain rule."""
    by_textbook: float
    """By a test made for one look."""
    operator: float
    """By the operator's, floor and evidence."""
    by_evidence: float
    """By the evidence alone, as if there were no floor."""


class Delay(NamedTuple):
    """Minutes until a bad arm is taken back."""

    plain: float
    operator: float


def false_reverts(arms: Arms, runs: int, seed: int, length: int = BAKE) -> Taken:
    """Return the share of runs in which each rule takes the arm back within `length` windows."""
    bakes = each_of(runs, partial(_bake, arms, seed, length))
    return Taken(*(sum(ended) / runs for ended in zip(*bakes, strict=True)))


def _bake(arms: Arms, seed: int, length: int, run: int) -> Taken:
    random = Random(f"{seed} {run} {arms}")
    recent, rule, textbook = Recent(), Operators(), Textbook()
    plainly = by_textbook = operator = by_evidence = False
    for window in islice(arms.windows(random), length):
        recent.add(window)
        plainly = plainly or plain(recent)
        by_textbook = by_textbook or textbook.breaches(window)
        operator = rule.breaches(window, recent) or operator
        by_evidence = by_evidence or rule.proven
    return Taken(plainly, by_textbook, operator, by_evidence)


def highest_odds(arms: Arms, runs: int, seed: int, length: int) -> list[float]:
    """Return for each run the most evidence that there ever is against the arm within `length` windows."""
    return each_of(runs, partial(_highest, arms, seed, length))


def _highest(arms: Arms, seed: int, length: int, run: int) -> float:
    random = Random(f"{seed} {run} {arms}")
    pools, highest = wager.opening(), 0.0
    for window in islice(arms.windows(random), length):
        pools = wager.played(pools, window.errors / window.requests, LIMIT, most=2 * NEEDED)
        highest = max(highest, wager.evidence(pools))
    return highest


def delays(arms: Arms, healthy: Arms, before: int, runs: int, seed: int) -> list[Delay]:
    """Return for each run how soon `arms` are taken back, after so many windows in which they were healthy."""
    return each_of(runs, partial(_delay, arms, healthy, before, seed))


def _delay(arms: Arms, healthy: Arms, before: int, seed: int, run: int) -> Delay:
    random = Random(f"{seed} {run} {arms}")
    recent, rule = Recent(), Operators()
    for window in islice(healthy.windows(random), before):
        recent.add(window)
        rule.breaches(window, recent)
    return Delay(*(number / PER_MINUTE for number in _until(arms.windows(random), recent, rule)))


def _until(windows: Iterator[Window], recent: Recent, rule: Operators) -> tuple[int, int]:
    plainly = operator = GIVEN_UP
    for number, window in enumerate(islice(windows, GIVEN_UP), start=1):
        recent.add(window)
        if plain(recent):
            plainly = min(plainly, number)
        if rule.breaches(window, recent):
            operator = min(operator, number)
        if max(plainly, operator) < GIVEN_UP:
            break
    return plainly, operator
