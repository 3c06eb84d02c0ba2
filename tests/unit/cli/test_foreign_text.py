"""What a sidecar, Prometheus or a user wrote is shown as it is: no markup, no links, no pictures in place of words."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from rich.console import Console

from sark_cli.commands.list import table
from sark_cli.live_view import LiveView
from sark_cli.out import Out, drawn
from sark_cli.rollout import Rollout
from sark_cli.view import panel
from sark_operator.shell.api import UnreadableError

FOREIGN = ":x: [/][link=http://x]"


def texts(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the holder and the key of every text in a JSON value."""
    for key, member in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if isinstance(member, str):
            yield node, key
        else:
            yield from texts(member)


def with_foreign_text(body: dict[str, Any]) -> dict[str, Any]:
    """Return the object with `FOREIGN` in every text that may be any: those with a form of their own stay as they are."""
    found = copy.deepcopy(body)
    for holder, key in texts({name: found[name] for name in ("metadata", "status")}):
        kept, holder[key] = holder[key], FOREIGN
        try:
            Rollout.from_object(found)
        except (UnreadableError, ValueError):
            holder[key] = kept
    # What would be shown as a time and cannot be read as one.
    found["metadata"]["creationTimestamp"] = body["metadata"]["creationTimestamp"]
    return found


@pytest.fixture
def terminal() -> Callable[[Callable[[Console], object]], str]:
    """Return what something writes on a terminal with colours and links."""

    def run(write: Callable[[Console], object]) -> str:
        stream = io.StringIO()
        write(Console(file=stream, width=400, force_terminal=True, color_system="truecolor", legacy_windows=False))
        return stream.getvalue()

    return run


@pytest.mark.parametrize("state", ["baking", "unknown", "paused", "reverted", "completed"])
def test_no_text_of_a_status_is_markup(
    state: str, body: Callable[[str], dict[str, Any]], now: datetime, terminal: Callable[..., str]
):
    # Given a status with markup in every text
    evil = with_foreign_text(body(state))
    rollout = Rollout.from_object(evil)

    # When it is drawn, as a panel and as a row of the list, then it is there letter by letter, and nothing is a link
    for written in (
        terminal(lambda console: console.print(panel(rollout, now))),
        terminal(lambda console: console.print(drawn(table([evil], now, namespaced=True)))),
    ):
        assert FOREIGN in written
        assert "\x1b]8;" not in written


def test_the_laggard_and_the_policies_are_among_them(body: Callable[[str], dict[str, Any]]):
    evil = with_foreign_text(body("baking"))["status"]
    assert evil["policies"]["revision"] == FOREIGN
    assert evil["summary"]["traffic"] == FOREIGN


def test_no_line_is_markup(body: Callable[[str], dict[str, Any]], terminal: Callable[..., str]):
    assert terminal(lambda console: Out(plain=False, console=console).lines(FOREIGN)) == f"{FOREIGN}\n"

    # And so it is in what a watch writes where there is no terminal
    stream = io.StringIO()
    view = LiveView(Console(file=stream))
    with view.following():
        view.show(Rollout.from_object(with_foreign_text(body("baking"))))
    assert FOREIGN in stream.getvalue()
