"""What nobody foresaw is told of once."""

from __future__ import annotations

from structlog.testing import capture_logs

from sark_operator.shell.oddities import Oddities


def test_an_answer_is_told_of_once() -> None:
    oddities = Oddities()
    with capture_logs() as logs:
        for query in ("up", "up", "down"):
            oddities.tell("http://prometheus:9090", query, KeyError("pod"))
    assert [each["query"] for each in logs] == ["up", "down"]


def test_the_log_is_not_filled() -> None:
    oddities = Oddities()
    with capture_logs() as logs:
        for number in range(1000):
            oddities.tell("http://prometheus:9090", f"up{number}", KeyError("pod"))
    assert len(logs) == 100
