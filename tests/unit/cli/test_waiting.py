"""Waiting for the operator's answer to what is written: a moment without an API server ends nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sark_cli import waiting
from sark_cli.exit_code import ExitCode
from sark_cli.failure import CommandError, UnavailableError, WrittenError
from sark_cli.intents import PAUSE
from sark_cli.rollout import Rollout
from sark_cli.waiting import ask, wait

Body = Callable[[str], dict[str, Any]]
AWAY = UnavailableError("the API server cannot be reached")


class Server:
    """Answers with what it was given, one after the other; the last answer stays."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    def get(self, *_: str) -> dict[str, Any]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, CommandError):
            raise answer
        found: dict[str, Any] = answer
        return found

    def patch(self, *_: Any) -> dict[str, Any]:
        return self.get()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.001)


def is_paused(rollout: Rollout) -> bool:
    return rollout.status.phase == "Paused"


def test_a_server_that_is_away_for_a_moment_does_not_end_a_wait(body: Body):
    server: Any = Server(AWAY, CommandError("HTTP 403"), body("paused"))
    assert wait(server, Rollout.from_object(body("baking")), is_paused, seconds=20).status.phase == "Paused"


def test_one_that_stays_away_does_in_time_and_it_is_said_that_it_is_written(body: Body):
    server: Any = Server(AWAY)
    with pytest.raises(CommandError, match=r"written; not seen to be done within 0\.01 s: the API server cannot") as told:
        wait(server, Rollout.from_object(body("baking")), is_paused, seconds=0.01)
    assert told.value.code is ExitCode.TIMED_OUT


def test_one_that_is_not_done_in_time_is_said_to_be_written(body: Body):
    server: Any = Server(body("baking"))
    with pytest.raises(CommandError, match=r"written; not done within 0\.01 s; it is Progressing"):
        wait(server, Rollout.from_object(body("baking")), is_paused, seconds=0.01)


def test_a_rollout_that_was_deleted_ends_it_at_once(body: Body):
    server: Any = Server(AWAY, CommandError("there is none", ExitCode.NOT_FOUND))
    with pytest.raises(CommandError, match="written; there is none") as told:
        wait(server, Rollout.from_object(body("baking")), is_paused, seconds=20)
    assert told.value.code is ExitCode.NOT_FOUND


def test_another_of_the_same_name_is_not_taken_for_it(body: Body):
    other = body("paused")
    other["metadata"]["uid"] = "another"
    server: Any = Server(other)
    with pytest.raises(CommandError, match="written; it was deleted, and another of its name created"):
        wait(server, Rollout.from_object(body("baking")), is_paused, seconds=20)


def test_what_is_written_and_cannot_be_read_is_told_apart_from_what_is_not_written(body: Body):
    newer = body("baking")
    newer["status"]["phase"] = "Levitating"
    server: Any = Server(newer)
    with pytest.raises(WrittenError, match="shop/gateway: written; cannot read the rollout"):
        ask(server, Rollout.from_object(body("baking")), PAUSE)
    server = Server(AWAY)
    with pytest.raises(UnavailableError):
        ask(server, Rollout.from_object(body("baking")), PAUSE)
