"""How the evaluation of a rollout that is under way stands in the lines it waits in.

An evaluation begins in its turn, and urgent ones first (see `pacer`). Where much more is to be done than can be, it then waits
at every step among the steps of a thousand others; and one may become urgent when it has begun. So each rollout's worker has a
`Standing`, in the context of everything that is done for it, and who keeps a line looks at that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Standing:
    """Of one rollout's evaluations. Not for threads."""

    def __init__(self, *, urgent: bool = False) -> None:
        self._urgent = urgent
        self._in_line: set[Callable[[], None]] = set()

    @property
    def urgent(self) -> bool:
        """Whether what is done now comes before what is only due."""
        return self._urgent

    def set(self, *, urgent: bool) -> None:
        """Say whether it is urgent from now on; what waits in a line moves up."""
        self._urgent = urgent
        if urgent:
            for move_up in tuple(self._in_line):
                move_up()

    @contextmanager
    def in_line(self, move_up: Callable[[], None]) -> Iterator[None]:
        """Wait in a line, and have `move_up` called when it becomes urgent meanwhile."""
        self._in_line.add(move_up)
        try:
            yield
        finally:
            self._in_line.discard(move_up)


_OURS: ContextVar[Standing | None] = ContextVar("standing", default=None)


def adopt(standing: Standing) -> None:
    """Let everything that is done from here on in this task, and in those it begins, stand so."""
    _OURS.set(standing)


def ours() -> Standing:
    """Return how the evaluation that is under way stands; what belongs to none is not urgent."""
    return _OURS.get() or Standing()
