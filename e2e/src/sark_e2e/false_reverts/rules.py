"""The rules that are compared: a plain threshold, a test made for one look, and the operator's."""

from __future__ import annotations

from collections import deque
from math import sqrt

from sark_api.spec import Criteria
from sark_operator.core.sequential import wager
from sark_operator.core.sequential.catastrophe import floor_of, proven_beyond
from sark_operator.core.sequential.fractions import Counts, limit_beside
from sark_operator.core.sequential.weighing import SEASONED, needed

from .arms import PER_MINUTE, Window

LIMIT = 0.01
NEEDED = needed(Criteria(), sides_of_criterion=1)
"""Evidence needed with the default settings: 700, for 1 % of false reverts, shared by seven criteria."""
MIN_SAMPLES = 100
_CRITERIA_WINDOW = 5 * PER_MINUTE
_ONE_PERCENT = 2.326348
"""Standard deviations that one look in a hundred exceeds."""


class Recent:
    """Requests and errors of the last five minutes, in both arms."""

    def __init__(self) -> None:
        self._windows: deque[Window] = deque(maxlen=_CRITERIA_WINDOW)
        self.requests = self.errors = self.baseline_requests = self.baseline_errors = 0

    def add(self, window: Window) -> None:
        """Take in the newest window and let go of the oldest."""
        for one, sign in ((window, 1), *((old, -1) for old in self._leaving())):
            self.requests += sign * one.requests
            self.errors += sign * one.errors
            self.baseline_requests += sign * one.baseline_requests
            self.baseline_errors += sign * one.baseline_errors
        self._windows.append(window)

    def _leaving(self) -> list[Window]:
        return [self._windows[0]] if len(self._windows) == _CRITERIA_WINDOW else []


def plain(recent: Recent) -> bool:
    """Return whether more than the limit of the last five minutes' requests failed, with enough of them."""
    return recent.requests >= MIN_SAMPLES and recent.errors > LIMIT * recent.requests


class Textbook:
    """A one-sided z-test of all requests so far against the limit, at 1 %, as if it were looked at once."""

    def __init__(self) -> None:
        self._requests = self._errors = 0

    def breaches(self, window: Window) -> bool:
        """Return whether the test rejects after this window."""
        self._requests += window.requests
        self._errors += window.errors
        if self._requests < MIN_SAMPLES:
            return False
        expected = self._requests * LIMIT
        return self._errors - expected > _ONE_PERCENT * sqrt(expected * (1 - LIMIT))


class Operators:
    """The operator's rule: the bet on windows, and the floor."""

    def __init__(self, pools: wager.Pools | None = None) -> None:
        self.pools = pools or wager.opening()
        self._windows = 0

    def breaches(self, window: Window, recent: Recent) -> bool:
        """Return whether the arm is taken back after this window."""
        self._windows += 1
        lately = Counts(recent.baseline_errors, recent.baseline_requests)
        limit = limit_beside(LIMIT, lately, Counts(window.baseline_errors, window.baseline_requests))
        self.pools = wager.played(self.pools, window.errors / window.requests, limit, most=2 * NEEDED)
        if self.proven:
            return True
        floor = max(floor_of(LIMIT), limit_beside(LIMIT, lately))
        if self._windows < SEASONED or recent.requests < MIN_SAMPLES:
            return False
        return proven_beyond(recent.errors, recent.requests, floor) is not None

    @property
    def proven(self) -> bool:
        """Whether the evidence is enough now, the floor left aside."""
        return wager.evidence(self.pools) >= NEEDED
