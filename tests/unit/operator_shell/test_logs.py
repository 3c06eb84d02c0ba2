from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from sark_operator.shell.logs import configure_logging

TOUCHED = (
    "kopf.objects",
    "kopf.activities",
    "aiohttp.access",
    "urllib3",
    "prometheus_api_client",
    "kubernetes",
    "asyncio",
    "aiohttp",
)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave the process's logging as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in TOUCHED}
    yield
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    said = capsys.readouterr()
    assert said.out == ""
    return [json.loads(line) for line in said.err.splitlines()]


def test_our_records_and_those_of_libraries_have_one_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")

    structlog.get_logger("sark.transition").info("transition", rollout="shop/gateway", message="why")
    logging.getLogger("kopf._core").info(
        "watching %s", "sarkrollouts", extra={"k8s_ref": {"name": "gateway"}, "settings": object()}
    )

    ours, theirs = lines(capsys)
    assert ours.pop("timestamp").endswith("Z")
    assert theirs.pop("timestamp").endswith("Z")
    assert ours == {
        "event": "transition",
        "level": "info",
        "logger": "sark.transition",
        "rollout": "shop/gateway",
        "message": "why",
    }
    assert theirs == {"event": "watching sarkrollouts", "level": "info", "logger": "kopf._core", "k8s_ref": {"name": "gateway"}}


def test_an_exception_stays_within_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")

    try:
        int("no good")
    except ValueError:
        structlog.get_logger("sark").exception("ours")
        logging.getLogger("kopf").exception("theirs")

    assert all("ValueError: invalid literal" in line["exception"] for line in lines(capsys))


@pytest.mark.parametrize(("level", "heard"), [("debug", True), ("info", False), ("warning", False)])
def test_what_kopf_says_of_every_event_is_left_out_unless_debugging(
    capsys: pytest.CaptureFixture[str], level: str, heard: bool
) -> None:
    configure_logging("json", level)

    logging.getLogger("kopf.objects").info("Handler 'seen' succeeded.")
    logging.getLogger("kopf.objects").warning("Patching failed.")

    expected = ["Handler 'seen' succeeded.", "Patching failed."] if heard else ["Patching failed."]
    assert [line["event"] for line in lines(capsys)] == expected


def test_the_api_servers_answers_are_never_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "debug")

    logging.getLogger("kubernetes.aio.client.rest").debug("response body: %s", "secret")

    assert lines(capsys) == []


def test_a_level_leaves_out_what_is_below(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "warning")

    structlog.get_logger("sark").info("quiet")
    structlog.get_logger("sark").warning("loud")

    assert [line["event"] for line in lines(capsys)] == ["loud"]


def test_configuring_twice_does_not_say_things_twice(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    configure_logging("json", "info")

    structlog.get_logger("sark").info("once")

    assert len(lines(capsys)) == 1


def test_the_console_gets_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("console", "info")

    structlog.get_logger("sark").info("standing by", identity="a")

    said = capsys.readouterr().err
    assert "standing by" in said
    assert not said.startswith("{")


@pytest.mark.parametrize(
    ("format", "level", "what"), [("xml", "info", "log format 'xml'"), ("json", "loud", "log level 'loud'")]
)
def test_a_word_that_means_nothing_is_refused(format: str, level: str, what: str) -> None:  # noqa: A002
    with pytest.raises(ValueError, match=what):
        configure_logging(format, level)


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_values_of_variables(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(form, "info")
    token = "secret-" * 3
    try:
        int(token[:1])
    except ValueError:
        structlog.get_logger("sark.tick").exception("failed")
    said = capsys.readouterr().err
    assert "ValueError: invalid literal" in said
    assert "secret-secret" not in said
