"""What is shown of a rollout that is being waited for, where there is no terminal."""

from __future__ import annotations

import io
from collections.abc import Callable

from rich.console import Console

from sark_cli.live_view import LiveView
from sark_cli.rollout import Rollout


def baking(make: Callable[..., Rollout], bake: str, reason: str = "Baking") -> Rollout:
    step = {"index": 1, "total": 2, "percent": 25, "startedAt": "2026-01-01T12:00:00Z"}
    return make(
        phase="Progressing", reason=reason, message=f"{reason} {bake}", step=step, summary={"bake": bake, "step": "1/2"}
    )


def test_a_line_is_printed_when_something_that_matters_has_changed(make_rollout: Callable[..., Rollout]):
    # Given a pipe
    console = Console(file=io.StringIO(), width=40)
    view = LiveView(console)

    # When the bake goes on for a while, freezes, and the rollout is seen in the same state again
    with view.following():
        for bake in ("1s/5s", "2s/5s", "3s/5s"):
            view.show(baking(make_rollout, bake))
        view.show(baking(make_rollout, "3s/5s", reason="CriterionUnknown"))
        view.show(baking(make_rollout, "3s/5s", reason="CriterionUnknown"))

    # Then there are two lines, whatever the width
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert [each.rsplit("| ", 1)[1] for each in lines] == ["Baking 1s/5s", "CriterionUnknown 3s/5s"]


def test_nothing_is_shown_outside_of_a_following_block(make_rollout: Callable[..., Rollout]):
    console = Console(file=io.StringIO())
    view = LiveView(console)
    view.show(baking(make_rollout, "1s/5s"))
    with view.following():
        pass
    view.show(baking(make_rollout, "2s/5s"))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == ""


def test_a_terminal_gets_the_panel(make_rollout: Callable[..., Rollout]):
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    view = LiveView(console)
    with view.following():
        view.show(baking(make_rollout, "1s/5s"))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "SarkRollout" in shown
    assert "25% -> 100%" in shown
