"""What an answer of Prometheus needs to be taken in, of which there is only so much.

From its first byte until it is closed it has its server's turn, for each byte that is kept a place in memory, and from the last
byte on the desk, at which one answer is read at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sark_operator.shell.byte_budget import ByteBudget
from sark_operator.shell.desk import Desk
from sark_operator.shell.precedence import Precedence
from sark_operator.shell.turns import Turns


@dataclass(frozen=True, slots=True)
class Premises:
    """What all answers share."""

    turns: Turns = field(default_factory=Turns)
    budget: ByteBudget = field(default_factory=ByteBudget)
    desk: Desk = field(default_factory=Desk)


class Intake:
    """What one answer has of it. For the thread that takes it in; whatever happens, it has to be closed."""

    def __init__(
        self, premises: Premises, server: str, deadline: float, precedence: Precedence, end: Callable[[], None]
    ) -> None:
        """Wait until `deadline` (monotonic seconds) for whatever is needed, in the name of `server`: scheme, host and port.

        Where several want it, they come in the order of `precedence`. `end` lets no more of the answer come.
        """
        self._premises, self._server = premises, server
        self._deadline, self._precedence = deadline, precedence
        self._end = end
        self.is_ended = False
        """Whether it took so long to come that others needed its room."""
        self._has_turn = self._at_desk = False
        self._held = 0

    def begin(self) -> bool:
        """Wait for the server's turn, and return whether it is the caller's; it is as well when it was before."""
        if not self._has_turn:
            self._has_turn = self._premises.turns.enter(self._server, self._deadline, self._precedence)
        return self._has_turn

    def keep(self, size: int) -> bool:
        """Wait for memory for `size` bytes more, and return whether it is the caller's."""
        budget = self._premises.budget
        kept = not self.is_ended and budget.take(self._server, size, self._deadline, self._precedence, self._ended)
        self._held += size if kept else 0
        return kept

    def read(self) -> bool:
        """Wait for the desk, now that all has come, and return whether it is the caller's; it is as well when it was before."""
        if not self._at_desk:
            self._premises.budget.all_is_here(self._server)
            self._at_desk = self._premises.desk.enter(self._deadline, self._server, self._precedence)
        return self._at_desk

    def close(self) -> None:
        """Let the next answer in."""
        if self._at_desk:
            self._at_desk = False
            self._premises.desk.leave()
        if self._held:
            self._premises.budget.give(self._server, self._held)
            self._held = 0
        if self._has_turn:  # after the memory, which is counted for one answer of a server
            self._has_turn = False
            self._premises.turns.leave(self._server)

    def _ended(self) -> None:
        self.is_ended = True
        self._end()
