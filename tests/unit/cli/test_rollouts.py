"""The list of all rollouts is read to its end, however many there are."""

from __future__ import annotations

from typing import Any

import pytest

from sark_cli.connection import Connection
from sark_cli.rollouts import PAGE, Rollouts

PAGES = 50


def test_no_rollout_is_left_out(monkeypatch: pytest.MonkeyPatch):
    # Given twenty-five thousand rollouts, on pages
    def page(_: str, token: str) -> dict[str, Any]:
        number = int(token or 0)
        items = [{"metadata": {"namespace": "shop", "name": f"gateway-{number:02}-{each:03}"}} for each in range(PAGE)]
        return {"items": items, "metadata": {"continue": str(number + 1) if number + 1 < PAGES else ""}}

    rollouts = Rollouts(Connection(None, "shop", "https://kubernetes"))
    monkeypatch.setattr(rollouts, "_page", page)
    names = [body["metadata"]["name"] for body in rollouts.all("")]
    assert len(set(names)) == PAGES * PAGE
    assert names == sorted(names)
