"""The watch that kopf runs, as the operator starts it, and what the process says of itself."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import aiohttp
import kopf
import pytest

from sark_operator.shell import operator
from sark_operator.shell.probes import ProbeServer
from sark_operator.shell.settings import Address, parse_settings
from sark_operator.shell.telemetry import Telemetry


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


@pytest.mark.asyncio
async def test_rollouts_that_are_overdue_make_the_process_sick_and_not_unready():
    # Given a crew of whose rollouts some are overdue, and a process that leads and watches
    class Late:
        def late(self) -> list[str]:
            return ["shop/gateway has not been evaluated for 200 s longer than planned"]

    class Leading:
        held = True

    state = operator._State(cast("Any", Leading()), cast("Any", Late()))
    state.standing_by = True
    state.watching.set()
    probes = ProbeServer(Address("127.0.0.1", 0), Telemetry().registry, state.sick, state.not_ready)
    await probes.start()
    try:
        # When it is asked how it is, then it names them; its readiness is another matter
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            async with session.get(f"http://127.0.0.1:{probes.port}/healthz") as answer:
                assert (answer.status, await answer.text()) == (503, Late().late()[0] + "\n")
            async with session.get(f"http://127.0.0.1:{probes.port}/readyz") as answer:
                assert answer.status == 200
    finally:
        await probes.stop()
