"""Looking at once when Alertmanager says something, and once more when the answer that was looked at may have been too old.

Which alerts fire is asked of Prometheus at most once in a while, however many messages come. A message within that while, of an
alert that began or ended after the last question, would else be looked for at the next interval only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Later = Callable[[float, Callable[[], None]], object]
"""Calls a function after so many seconds."""


class Alarm:
    """Wakes rollouts. Whatever happens between two questions is one more wake for each of them."""

    def __init__(self, forget: Callable[[], float], wake: Callable[[str], None], later: Later) -> None:
        """Take `forget`, which lets the answer be asked for anew, or returns the seconds after which it may be."""
        self._forget = forget
        self._wake = wake
        self._later = later
        self._waiting: dict[str, None] = {}
        """Rollouts that have been woken with an answer that may be too old, by uid."""

    def ring(self, uid: str) -> None:
        """Look at the rollout with this uid now."""
        self._look((uid,))

    def _look(self, uids: Iterable[str]) -> None:
        seconds = self._forget()
        for uid in uids:
            self._wake(uid)
        if seconds > 0:
            if not self._waiting:
                self._later(seconds, self._again)
            self._waiting |= dict.fromkeys(uids)

    def _again(self) -> None:
        waiting, self._waiting = self._waiting, {}
        self._look(waiting)
