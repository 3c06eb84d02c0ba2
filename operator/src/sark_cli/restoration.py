"""Taking rollouts back: every one is asked before any is waited for, and what happens to one keeps no other from going back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sark_api.spec import Mode

from .crew import work_through
from .exit_code import ExitCode
from .failure import CommandError, StaleError, UnavailableError, WrittenError
from .intents import ROLLBACK, is_restored, way_back
from .outcome import Outcome
from .reading import parsed
from .rollout import Rollout
from .rollouts import Rollouts
from .waiting import ask, late

AT_ONCE: Final = 16
POLL_SECONDS: Final = 0.5
LEAST_WRITING_SECONDS: Final = 10.0
"""For how long a write that the API server did not take is repeated, however little one wants to wait for the answers."""

Look = Callable[[], Mapping[str, Mapping[str, Any]]]
"""Returns the objects there are now, by namespace/name. Raises CommandError."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A rollout that does not fit the models of this command, as one of a newer operator may not."""

    name: str
    body: Mapping[str, Any]
    why: str


class Restoration:
    """Some rollouts on their way back. `outcomes` is true at every moment, also when Ctrl-C ends it."""

    def __init__(
        self, rollouts: Rollouts, chosen: Sequence[Rollout], unreadable: Sequence[Unreadable], look: Look, seconds: float
    ) -> None:
        """Wait for the operator for so many `seconds` after all were asked; 0 does not wait."""
        self.outcomes = [Outcome(each.name, each) for each in chosen] + [Outcome(each.name) for each in unreadable]
        self._unreadable = {each.name: each for each in unreadable}
        self._rollouts = rollouts
        self._look = look
        self._seconds = seconds
        self._open = list(self.outcomes)
        """Those that are neither back nor given up."""
        self._being_asked: set[str] = set()
        self._back: set[str] = set()
        """Those that were back already when they were asked."""
        self._unread: dict[str, str] = {}
        """Why one could not be read the last time, by name."""

    def run(self) -> None:
        """Ask all, and wait for all. What cannot be done is told by the outcomes."""
        began = time.monotonic()
        self._ask_all()
        wait_until = time.monotonic() + self._seconds
        write_until = max(wait_until, began + LEAST_WRITING_SECONDS)
        while self._open:
            took = self._judge_all()
            now = time.monotonic()
            for each in [each for each in self._open if now > (wait_until if each.asked else write_until)]:
                self._give_up(each)
            if self._open:
                # No more than half the time is spent on lists, however long they are.
                time.sleep(max(POLL_SECONDS, took))
                self._ask_all()

    def interrupt(self) -> None:
        """Give up those that are open, because the person does not want to wait."""
        being_asked = set(self._being_asked)  # before it is looked what has come of them: threads go on
        self._close_answered()
        for each in self._open:
            if each.asked:
                each.fail("asked to go back; interrupted before it was seen to be at the baseline", ExitCode.INTERRUPTED)
            elif each.name in being_asked:
                each.fail("interrupted while it was being asked: it is not known whether it is written", ExitCode.INTERRUPTED)
            else:
                each.fail("NOT asked to go back: interrupted", ExitCode.INTERRUPTED)
        self._open = []

    def _ask_all(self) -> None:
        """Ask every one that is not asked yet, once: one that the API server does not take must not hold up the others."""
        unasked = [each for each in self._open if not each.asked]
        work_through(unasked, self._ask, AT_ONCE)
        self._close_answered()

    def _close_answered(self) -> None:
        """Leave out those of which it is known what came of them when they were asked."""
        self._open = [each for each in self._open if not each.code and each.name not in self._back]

    def _ask(self, outcome: Outcome) -> None:
        self._being_asked.add(outcome.name)
        outcome.problem = ""
        try:
            if unreadable := self._unreadable.get(outcome.name):
                self._ask_blindly(outcome, unreadable)
            else:
                outcome.rollout, _ = ask(self._rollouts, _last_seen(outcome), ROLLBACK)
        except (UnavailableError, StaleError) as error:
            outcome.problem = str(error)  # and it is asked again
        except WrittenError as error:
            outcome.asked = True
            self._unread[outcome.name] = str(error)
        except CommandError as error:
            outcome.fail(f"NOT asked to go back: {error}", error.code)
        except Exception as error:  # noqa: BLE001 - what happens to one must not keep the others from going back
            outcome.fail(f"NOT asked to go back: {_words(error)}")
        else:
            outcome.asked = True
            if outcome.rollout is not None and is_restored(outcome.rollout):
                self._back.add(outcome.name)
        self._being_asked.discard(outcome.name)

    def _ask_blindly(self, outcome: Outcome, unreadable: Unreadable) -> None:
        """Write what needs no reading. What comes of it cannot be seen from here."""
        body = unreadable.body
        self._rollouts.patch(body["metadata"]["namespace"], body["metadata"]["name"], way_back(body))
        outcome.asked = True
        outcome.fail(f"asked to go back, and what comes of it cannot be seen: {unreadable.why}")

    def _judge_all(self) -> float:
        """Close those that are back, and return how long it took to see."""
        if not self._seconds:
            for each in self._open:
                if each.asked and each.name in self._unread:
                    each.fail(self._unread[each.name])
            self._open = [each for each in self._open if not each.asked]
            return 0.0
        began = time.monotonic()
        try:
            found = self._look()
        except Exception as error:  # noqa: BLE001 - a look that fails, however it does, is repeated until the deadline
            self._unread |= {each.name: _words(error) for each in self._open}
        else:
            self._open = [each for each in self._open if not self._is_settled(each, found.get(each.name))]
        return time.monotonic() - began

    def _is_settled(self, outcome: Outcome, body: Mapping[str, Any] | None) -> bool:
        """Take the reading, and return whether nothing more is to be waited for."""
        if outcome.name in self._unreadable:
            return False  # it is open until it is asked
        if body is None or body["metadata"]["uid"] != _last_seen(outcome).body["metadata"]["uid"]:
            gone = "it was deleted meanwhile" + (", and another of its name created" if body else "")
            outcome.fail(f"{gone}: what its sidecars serve is not known from it", ExitCode.NOT_FOUND)
            return True
        try:
            outcome.rollout = parsed(body)
        except Exception as error:  # noqa: BLE001 - what happens to one must not keep the others from going back
            self._unread[outcome.name] = _words(error)
            return False
        self._unread.pop(outcome.name, None)
        if outcome.asked and outcome.rollout.spec.mode is not Mode.ROLLBACK:
            outcome.fail(f"asked to go back, and somebody else has set its mode to {outcome.rollout.spec.mode} since")
            return True
        return outcome.asked and is_restored(outcome.rollout)

    def _give_up(self, outcome: Outcome) -> None:
        self._open.remove(outcome)
        if not outcome.asked:
            outcome.problem, outcome.code = f"NOT asked to go back: {outcome.problem}", ExitCode.FAILED
            return
        outcome.fail(late(_last_seen(outcome), self._seconds, self._unread.get(outcome.name, "")), ExitCode.TIMED_OUT)


def _last_seen(outcome: Outcome) -> Rollout:
    assert outcome.rollout is not None  # noqa: S101 - it was chosen because it could be read
    return outcome.rollout


def _words(error: Exception) -> str:
    """Return an error as a clause; only the expected ones speak for themselves."""
    return str(error) if isinstance(error, CommandError) else f"{type(error).__name__}: {error}"
