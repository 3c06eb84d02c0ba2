"""A watch goes on while the API server is away for a moment, and ends when it must."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from sark_cli.commands import status
from sark_cli.exit_code import ExitCode
from sark_cli.failure import CommandError
from sark_cli.guidance import standing
from sark_cli.out import Out
from sark_cli.rollout import Rollout


class Server:
    """Answers with what it was given, one after the other."""

    def __init__(self, *answers: Any) -> None:
        self._answers = iter(answers)

    def get(self, namespace: str, name: str) -> dict[str, Any]:
        assert (namespace, name) == ("shop", "gateway")
        answer = next(self._answers)
        if isinstance(answer, CommandError):
            raise answer
        found: dict[str, Any] = answer
        return found


AWAY = CommandError("cannot be reached")


def test_a_server_that_is_away_for_a_moment_does_not_end_a_watch(body: Callable[[str], dict[str, Any]]):
    server: Any = Server(body("baking"), AWAY, AWAY, body("completed"))
    readings = status._readings(server, "shop", "gateway")
    assert [each.status.phase for each in islice(readings, 4)] == ["Progressing", "Progressing", "Progressing", "Completed"]


def test_a_server_that_was_never_there_does(body: Callable[[str], dict[str, Any]]):
    server: Any = Server(AWAY)
    with pytest.raises(CommandError, match="cannot be reached"):
        next(status._readings(server, "shop", "gateway"))


def test_a_server_that_stays_away_does_in_the_end(body: Callable[[str], dict[str, Any]]):
    server: Any = Server(body("baking"), *[AWAY] * 100)
    with pytest.raises(CommandError):
        list(status._readings(server, "shop", "gateway"))


@pytest.mark.parametrize(("first", "second"), [("completed", "reverted"), ("reverted", "completed")])
def test_a_watch_does_not_take_the_end_of_the_last_attempt_for_that_of_the_one_asked_for(
    first: str, second: str, body: Callable[[str], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
):
    # Given an attempt that has ended, and a second one that is asked for
    monkeypatch.setattr(status, "POLL_SECONDS", 0)
    ended, waits = body(first), body(first)
    for each in (ended, waits):
        each["metadata"]["generation"] += 1
        each["spec"]["attempt"] = 2
    waits["status"] |= {"observedGeneration": waits["metadata"]["generation"], "reason": "AttemptWaits"}

    # When the operator answers late, and has it wait for the metric window
    server: Any = Server(ended, ended, waits, body("baking"), body(second))
    code = status._watch(status._readings(server, "shop", "gateway"), 0, Out(plain=True, stream=io.StringIO()))

    # Then the watch goes on until the second one has ended
    assert code == standing(Rollout.from_object(body(second)))
    assert [standing(Rollout.from_object(each)) for each in (ended, waits)] == [ExitCode.PROGRESSING] * 2


def test_a_revert_is_one_whatever_was_asked_for_meanwhile(body: Callable[[str], dict[str, Any]]):
    reverting = body("reverted")
    reverting["status"]["phase"] = "Reverting"
    reverting["metadata"]["generation"] += 1
    assert standing(Rollout.from_object(reverting)) is ExitCode.REVERTED


def test_a_rollout_that_was_deleted_ends_it_at_once(body: Callable[[str], dict[str, Any]]):
    server: Any = Server(body("baking"), CommandError("gone", ExitCode.NOT_FOUND))
    with pytest.raises(CommandError, match="gone"):
        list(status._readings(server, "shop", "gateway"))
