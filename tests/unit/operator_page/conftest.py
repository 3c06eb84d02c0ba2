"""Rollouts as the page sees them: the objects of the command's tests, at their time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from sark_operator.page.rollouts import _seen
from sark_operator.page.view.seen import Seen
from sark_operator.shell.api import RolloutObject

ROLLOUTS = Path(__file__).parents[1] / "cli" / "rollouts"
NOW = datetime(2026, 1, 1, 12, 46, 5, tzinfo=UTC)


def read(name: str, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Seen:
    body: dict[str, Any] = yaml.safe_load((ROLLOUTS / f"{name}.yaml").read_text(encoding="utf-8"))
    change(body)
    return _seen(RolloutObject(body))


@pytest.fixture
def seen() -> Callable[..., Seen]:
    """Return a rollout of the command's tests, changed by a function of its body."""
    return read


@pytest.fixture
def now() -> datetime:
    return NOW
