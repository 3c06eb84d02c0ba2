"""A watch goes on while the API server is away for a moment, and ends when it must."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from sark_cli.commands import status
from sark_cli.exit_code import ExitCode
from sark_cli.failure import CommandError


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


def test_a_rollout_that_was_deleted_ends_it_at_once(body: Callable[[str], dict[str, Any]]):
    server: Any = Server(body("baking"), CommandError("gone", ExitCode.NOT_FOUND))
    with pytest.raises(CommandError, match="gone"):
        list(status._readings(server, "shop", "gateway"))
