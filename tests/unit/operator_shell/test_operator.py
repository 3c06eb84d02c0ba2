"""The watch that kopf runs, as the operator starts it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import kopf
import pytest

from sark_operator.shell import operator
from sark_operator.shell.settings import parse_settings


@pytest.mark.asyncio
async def test_nobody_asks_the_machine_for_the_users_name(monkeypatch: pytest.MonkeyPatch):
    # Given a user without a name, as 65532 in an image is
    asked: dict[str, Any] = {}

    async def started(**arguments: Any) -> None:
        asked.update(arguments)

    monkeypatch.setattr(kopf, "operator", started)
    settings = parse_settings(["--namespace=shop", "--identity=pod-1"], {})

    # When the watch is started, then kopf is told who it is, and has no need to make a name
    await operator._watch(settings, cast("Any", None), operator._State(cast("Any", None), cast("Any", None)), asyncio.Event())
    assert asked["identity"] == "pod-1"
