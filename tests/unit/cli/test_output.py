"""What the reading commands print, character by character."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import yaml
from rich.console import Console

from sark_cli.commands import explain, history
from sark_cli.commands.list import table
from sark_cli.exit_code import ExitCode
from sark_cli.facts import status_lines
from sark_cli.guidance import standing
from sark_cli.live_view import LiveView
from sark_cli.out import Out
from sark_cli.rollout import Rollout
from sark_cli.view import panel

STATES = ("fresh", "baking", "unknown", "paused", "reverted", "completed")

Read = Callable[[str], Rollout]
Shown = Callable[..., str]
Golden = Callable[[str, str], None]


@pytest.mark.parametrize("state", STATES)
def test_status_in_a_pipe(state: str, rollout: Read, now: datetime, piped: Shown, golden: Golden):
    golden(f"status-{state}.txt", piped(lambda out: out.lines(*status_lines(rollout(state), now))))


@pytest.mark.parametrize("state", STATES)
def test_status_on_a_terminal(state: str, rollout: Read, now: datetime, drawn: Shown, golden: Golden):
    golden(f"status-{state}-terminal.txt", drawn(lambda out: out.show(panel(rollout(state), now))))


def test_status_on_a_narrow_terminal_is_no_wider(rollout: Read, now: datetime, drawn: Shown):
    text = drawn(lambda out: out.show(panel(rollout("unknown"), now)), width=60)
    assert max(map(len, text.splitlines())) <= 60


@pytest.mark.parametrize("state", ["baking", "reverted"])
def test_explain(state: str, rollout: Read, piped: Shown, golden: Golden):
    golden(f"explain-{state}.txt", piped(lambda out: out.lines(*explain.text(rollout(state)))))


def test_explain_of_one_decision(rollout: Read, piped: Shown, golden: Golden):
    golden("explain-decision.txt", piped(lambda out: out.lines(*explain.text(rollout("reverted"), 3))))


def test_a_decision_shows_what_a_newer_operator_recorded(rollout: Read, monkeypatch: pytest.MonkeyPatch):
    entry = rollout("reverted").status.history[2]
    wire = entry.to_wire() | {"criteria": [{"name": "errorRate", "bound": "0.8%"}], "windowSeconds": 300}
    monkeypatch.setattr(type(entry), "to_wire", lambda _: wire)
    text = explain.decision(3, entry)
    assert text[-2:] == ["  criteria: name errorRate, bound 0.8%", "  windowSeconds: 300"]


def test_history(rollout: Read, piped: Shown, golden: Golden):
    golden("history.txt", piped(lambda out: out.grid(history.table(rollout("reverted")))))


def test_history_on_a_terminal(rollout: Read, drawn: Shown, golden: Golden):
    golden("history-terminal.txt", drawn(lambda out: out.grid(history.table(rollout("reverted")))))


def test_list_on_a_terminal(body: Callable[[str], dict[str, Any]], now: datetime, drawn: Shown, golden: Golden):
    bodies = [body(state) for state in STATES]
    golden("list-terminal.txt", drawn(lambda out: out.grid(table(bodies, now, namespaced=True))))


def test_a_watch_in_a_pipe(rollout: Read, golden: Golden):
    stream = io.StringIO()
    view = LiveView(Console(file=stream, width=100))
    with view.following():
        for state in ("fresh", "baking", "baking", "unknown", "paused", "reverted"):
            view.show(rollout(state))
    golden("status-watch.txt", stream.getvalue())


@pytest.mark.parametrize("namespaced", [True, False])
def test_list(namespaced: bool, body: Callable[[str], dict[str, Any]], now: datetime, piped: Shown, golden: Golden):
    bodies = [body(state) for state in STATES]
    for state, each in zip(STATES, bodies, strict=True):
        each["metadata"]["name"] = state
    shown = piped(lambda out: out.grid(table(bodies, now, namespaced=namespaced)))
    golden(f"list{'' if namespaced else '-all'}.txt", shown)


def test_a_rollout_of_a_newer_version_is_listed_although_it_cannot_be_read(
    body: Callable[[str], dict[str, Any]], now: datetime
):
    newer = body("baking")
    newer["status"]["phase"] = "Levitating"
    assert table([newer], now, namespaced=True).rows[0][:2] == ("gateway", "Levitating")


def test_how_a_rollout_stands_is_an_exit_status(rollout: Read):
    stands = {state: int(standing(rollout(state))) for state in STATES}
    assert stands == {"fresh": 3, "baking": 3, "unknown": 4, "paused": 4, "reverted": 5, "completed": 0}


def test_an_operator_that_has_been_silent_is_noticed(rollout: Read, now: datetime):
    later = now.replace(hour=13)
    assert any(
        "last evaluated 1h" in line and "is the operator running?" in line for line in status_lines(rollout("baking"), later)
    )


def test_one_that_no_operator_looks_at_is_held_and_not_on_its_way(
    rollout: Read, body: Callable[[str], dict[str, Any]], now: datetime
):
    later = now.replace(hour=23)
    assert standing(rollout("baking"), now) is ExitCode.PROGRESSING
    assert standing(rollout("baking"), later) is ExitCode.HELD
    edited = body("baking")
    edited["metadata"]["generation"] += 1
    assert standing(Rollout.from_object(edited), later) is ExitCode.HELD
    ends = {state: int(standing(rollout(state), later)) for state in ("fresh", "reverted", "completed")}
    assert ends == {"fresh": 3, "reverted": 5, "completed": 0}


def test_control_characters_of_a_message_do_not_reach_the_terminal(body: Callable[[str], dict[str, Any]], now: datetime):
    evil = body("baking")
    evil["status"]["message"] = "\x1b[2J\x1b]0;owned\x07 fine"
    text = "\n".join(status_lines(Rollout.from_object(evil), now))
    assert "\x1b" not in text
    assert "?[2J?]0;owned? fine" in text


class Buffered(io.StringIO):
    """A pipe: what is written is seen once it is flushed."""

    seen = ""

    def flush(self) -> None:
        super().flush()
        self.seen = self.getvalue()


@pytest.mark.parametrize("data_format", ["json", "yaml"])
def test_a_watchs_reader_sees_each_object_at_once(data_format: str, body: Callable[[str], dict[str, Any]]):
    # Given a program that follows a watch through a pipe
    pipe = Buffered()
    out = Out(plain=True, data_format=data_format, stream=pipe)

    # When two objects are told, then it sees each of them at once
    for told, state in enumerate(("fresh", "baking"), start=1):
        out.data(body(state))
        assert pipe.seen.count("kind: SarkRollout" if data_format == "yaml" else '"kind": "SarkRollout"') == told


def test_the_objects_of_a_watch_are_documents_of_one_stream(body: Callable[[str], dict[str, Any]], piped: Shown):
    told = piped(lambda out: [out.data(body(state)) for state in ("fresh", "baking")], "yaml")
    assert list(yaml.safe_load_all(told)) == [body("fresh"), body("baking")]


def test_data_is_the_object_itself(body: Callable[[str], dict[str, Any]]):
    import json

    stream = io.StringIO()
    Out(plain=True, data_format="json", stream=stream).data(body("baking"))
    assert json.loads(stream.getvalue()) == body("baking")
