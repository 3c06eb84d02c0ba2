"""What nobody foresaw is told of once."""

from __future__ import annotations

from collections import Counter

from structlog.testing import capture_logs

from sark_operator.shell.oddities import MOST, MOST_OF_ONE, Oddities


def test_an_answer_is_told_of_once() -> None:
    oddities = Oddities()
    with capture_logs() as logs:
        for query in ("up", "up", "down"):
            oddities.tell("http://prometheus:9090", query, KeyError("pod"))
    assert [each["query"] for each in logs] == ["up", "down"]


def test_the_log_is_not_filled() -> None:
    # Given many addresses with many odd answers each, when all are told of
    oddities = Oddities()
    with capture_logs() as logs:
        for number in range(1000):
            oddities.tell(f"http://prometheus-{number // 10}:9090", f"up{number}", KeyError("pod"))

    # Then so many stand in the log, the last of them being that there are more
    assert Counter(each["log_level"] for each in logs) == {"error": MOST, "warning": MOST // MOST_OF_ONE + 1}
    assert logs[-1]["event"] == "no more answers that could not be read are told of"


def test_one_address_does_not_silence_the_others() -> None:
    # Given an address with more odd answers than are told of, when another has one
    oddities = Oddities()
    with capture_logs() as logs:
        for number in range(1000):
            oddities.tell("http://evil:9090", f"up{number}", KeyError("pod"))
        oddities.tell("http://prometheus:9090", "up", KeyError("pod"))

    # Then that one is told of, and of the first a few with the note that there are more
    assert [each["address"] for each in logs] == [*["http://evil:9090"] * (MOST_OF_ONE + 1), "http://prometheus:9090"]
    assert logs[MOST_OF_ONE]["log_level"] == "warning"
