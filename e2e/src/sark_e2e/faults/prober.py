"""Asks without pause and checks every answer against what the policy says; remembers when what came."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from sark_api.assignment import in_new_arm

SALT: Final = "faults"
SHARE: Final = 50
_THREADS: Final = 4
_PAUSE_SECONDS: Final = 0.01
_PATIENCE_SECONDS: Final = 15.0
_PATH: Final = "/v1/data/mcp/gateway/decision"
_OK: Final = 200


class Verdict(StrEnum):
    """What became of a question."""

    RIGHT = "right"
    SHED = "shed"
    """503: turned away."""
    FAILED = "failed"
    """Any other error, or no answer."""
    UNDEFINED = "undefined"
    """No decision, and no allow."""
    WRONG = "wrong"
    """A decision the policy does not give."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One question and what came back. Times are of the monotonic clock."""

    asked: float
    seconds: float
    new_arm: bool
    verdict: Verdict

    @property
    def answered(self) -> float:
        """When the answer was there."""
        return self.asked + self.seconds


@dataclass(frozen=True, slots=True)
class Pattern:
    """A question with room for a user, and the whole decision about it whoever the user is."""

    tool: dict[str, str]
    result: dict[str, Any]

    def question(self, user: str) -> dict[str, Any]:
        """Return the input for one user."""
        return {
            "user": {"id": user, "tenant": "acme", "roles": ["developer"]},
            "action": "invoke",
            "tool": self.tool,
            "parameters": {},
        }


TOOLS: Final = ({"name": "read_ticket", "tenant": "acme"}, {"name": "read_ticket", "tenant": "globex"})
"""One that is allowed and one that is denied."""


class Prober:
    """Some threads that ask a new question each time. A context manager."""

    def __init__(self, host: str, port: int, patterns: list[Pattern], numbers: Iterator[int]) -> None:
        """Ask the patterns in turn; `numbers` are of the users, and none comes twice."""
        self._address = (host, port)
        self._patterns = patterns
        self._numbers = numbers
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(_THREADS)]
        self.sightings: list[Sighting] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_PATIENCE_SECONDS + 5)

    def wait(self, enough: Callable[[list[Sighting]], bool], *, since: float, what: str, seconds: float) -> None:
        """Wait until the answers to what was asked after `since` are `enough`. Raises TimeoutError, which names `what`."""
        deadline = time.monotonic() + seconds
        while not enough([each for each in list(self.sightings) if each.asked >= since]):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {seconds:.0f} s")
            time.sleep(0.05)

    def _run(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=_PATIENCE_SECONDS)
        try:
            while not self._stop.wait(_PAUSE_SECONDS):
                number = next(self._numbers)
                pattern = self._patterns[number % len(self._patterns)]
                user = f"user-9{number:07d}"
                asked = time.monotonic()
                verdict, stays = _ask(connection, pattern, user)
                self.sightings.append(Sighting(asked, time.monotonic() - asked, in_new_arm(SALT, user, SHARE), verdict))
                if not stays:
                    # It connects anew by itself.
                    connection.close()
        finally:
            connection.close()


def _ask(connection: http.client.HTTPConnection, pattern: Pattern, user: str) -> tuple[Verdict, bool]:
    """Return the verdict, and whether the connection can be used again."""
    try:
        body = json.dumps({"input": pattern.question(user)})
        connection.request("POST", _PATH, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        members = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError):
        return Verdict.FAILED, False
    stays = not answer.will_close
    if answer.status != _OK:
        return (Verdict.SHED if answer.status == http.client.SERVICE_UNAVAILABLE else Verdict.FAILED), stays
    if "result" not in members:
        return Verdict.UNDEFINED, stays
    return (Verdict.RIGHT if members["result"] == pattern.result else Verdict.WRONG), stays
