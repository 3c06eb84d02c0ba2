"""Objects the command shows, and the texts it must show for them.

The texts are in `golden/`. After a change that is meant, `make golden` writes them anew; the difference is then reviewed.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from sark_cli.out import Out
from sark_cli.rollout import Rollout

HERE = Path(__file__).parent
NOW = datetime(2026, 1, 1, 12, 46, 5, tzinfo=UTC)
WIDTH = 100


@pytest.fixture
def now() -> datetime:
    """The one time of these tests: shortly after the objects in `rollouts/` were last evaluated."""
    return NOW


@pytest.fixture
def body() -> Callable[[str], dict[str, Any]]:
    """Return an object of `rollouts/` as the API server would."""

    def read(name: str) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load((HERE / "rollouts" / f"{name}.yaml").read_text(encoding="utf-8"))
        return found

    return read


@pytest.fixture
def rollout(body: Callable[[str], dict[str, Any]]) -> Callable[[str], Rollout]:
    """Return an object of `rollouts/`, parsed."""
    return lambda name: Rollout.from_object(body(name))


@pytest.fixture
def piped() -> Callable[..., str]:
    """Return what something writes into a pipe."""

    def run(write: Callable[[Out], object], data_format: str = "") -> str:
        stream = io.StringIO()
        write(Out(plain=True, data_format=data_format, stream=stream))
        return stream.getvalue()

    return run


@pytest.fixture
def drawn() -> Callable[..., str]:
    """Return what something draws on a terminal of a fixed width, without colours."""

    def run(write: Callable[[Out], object], width: int = WIDTH) -> str:
        stream = io.StringIO()
        console = Console(file=stream, width=width, force_terminal=True, color_system=None, legacy_windows=False)
        write(Out(plain=False, stream=stream, console=console))
        return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())

    return run
