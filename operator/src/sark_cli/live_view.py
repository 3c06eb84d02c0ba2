"""Shows a rollout while it is being waited for: a panel that redraws itself on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime

from rich.console import Console
from rich.live import Live

from .rollout import Rollout
from .view import line, panel

_REFRESHES: float = 4


class LiveView:
    """Takes readings with `show`; they are seen only inside a `following` block."""

    def __init__(self, console: Console, now: Callable[[], datetime] | None = None) -> None:
        """Write to `console`; whether it is a terminal decides on the form. With `now`, the panel tells ages and outlook."""
        self._console = console
        self._now = now
        self._live: Live | None = None
        self._following = False
        self._last: object = None

    @contextlib.contextmanager
    def following(self) -> Iterator[None]:
        """Show every reading until the end of the block; the last panel stays on the screen."""
        self._following = True
        try:
            if not self._console.is_terminal:
                yield
                return
            with Live(console=self._console, refresh_per_second=_REFRESHES) as live:
                self._live = live
                yield
        finally:
            self._live, self._following = None, False

    def show(self, rollout: Rollout) -> None:
        """Take a reading."""
        if self._live is not None:
            self._live.update(panel(rollout, self._now() if self._now else None))
        elif self._following and (now := _what_matters(rollout)) != self._last:
            self._last = now
            self._console.print(line(rollout), soft_wrap=True, markup=False, emoji=False, highlight=False)


def _what_matters(rollout: Rollout) -> object:
    """Return what makes a reading worth a line: not the bake's every second, nor the last digit of a value."""
    status = rollout.status
    return (
        status.phase,
        status.reason,
        status.step.percent if status.step else 0,
        status.summary.replicas,
        tuple((each.name, each.verdict) for each in status.criteria),
    )
