"""Two lines of those that wait: the urgent ones come first, and the others are not forgotten."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Generic, TypeVar

Waiting = TypeVar("Waiting")

MOST_IN_A_ROW: Final = 8
"""Urgent ones before one that is not: where everything is urgent, nothing is forgotten."""


class TwoLines(Generic[Waiting]):
    """Whoever waits, in the order in which they came. One may wait in both lines: whichever comes first."""

    def __init__(self) -> None:
        self._lines: dict[bool, OrderedDict[Waiting, None]] = {True: OrderedDict(), False: OrderedDict()}
        """By whether they are urgent."""
        self._in_a_row = 0
        """Urgent ones that had their turn since one that was not."""

    def join(self, who: Waiting, *, urgent: bool) -> None:
        """Let `who` wait in a line."""
        self._lines[urgent][who] = None

    def has(self, who: Waiting) -> bool:
        """Return whether `who` waits."""
        return any(who in line for line in self._lines.values())

    def quit(self, who: Waiting) -> None:
        """Let `who` wait no longer."""
        for line in self._lines.values():
            line.pop(who, None)

    def next(self) -> Waiting | None:
        """Take out whose turn it is; None when nobody waits."""
        preferred = self._in_a_row < MOST_IN_A_ROW
        line = self._lines[preferred] or self._lines[not preferred]
        if not line:
            return None
        who = next(iter(line))
        self.quit(who)
        self._in_a_row = self._in_a_row + 1 if line is self._lines[True] else 0
        return who
