"""The Lease as the working loop sees it: held as long as the other loop holds it, and given up when all is over."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from sark_api.status import Leader
from sark_operator.shell import lease_thread as module
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.lease_thread import lease_thread
from sark_operator.shell.pulse import Pulse
from sark_operator.shell.telemetry import Telemetry

pytestmark = pytest.mark.asyncio


class Leading:
    """Stands for `Leadership`, and for its client; both live in the other loop."""

    def __init__(self) -> None:
        self.held = False
        self.term = Leader()
        self.unfit: Any = None
        self.keeping = asyncio.Event()
        self.done: list[str] = []
        """What came to its end, in this order."""

    async def acquire(self) -> None:
        self.held, self.term = True, Leader(identity="pod-1", lease="u", term=3)

    async def keep(self) -> None:
        self.keeping.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.done.append("kept")

    async def release(self) -> None:
        self.held = False
        self.done.append("released")

    async def close(self) -> None:
        self.done.append("closed")


@pytest.fixture
def leading(monkeypatch: pytest.MonkeyPatch) -> Leading:
    stand_in = Leading()

    async def client(_settings: object) -> Leading:
        return stand_in

    def leadership(*_: object, unfit: object) -> Leading:
        stand_in.unfit = unfit
        return stand_in

    monkeypatch.setattr(module, "_client", client)
    monkeypatch.setattr(module, "Leadership", leadership)
    return stand_in


async def test_it_is_held_as_long_as_the_other_loop_holds_it_and_given_up_when_nothing_is_under_way(leading: Leading) -> None:
    pulse = Pulse(SystemClock(), limit_seconds=60)
    async with asyncio.timeout(20):
        async with lease_thread(cast("Any", None), SystemClock(), Telemetry(), pulse) as subject:
            # Given a process that leads
            assert not subject.held
            await subject.acquire()
            assert (subject.held, subject.term) == (True, Leader(identity="pod-1", lease="u", term=3))
            # Then it is asked before each renewal whether its loop goes on
            assert leading.unfit == pulse.missing

            # When the other loop has lost it, then that is seen at once
            leading.held = False
            assert not subject.held

            # And what is under way there ends before the Lease is given up
            keeping = asyncio.create_task(subject.keep())
            while not leading.keeping.is_set():  # noqa: ASYNC110 - it is set in another loop
                await asyncio.sleep(0.01)
    assert leading.done == ["kept", "released", "closed"]
    await asyncio.gather(keeping, return_exceptions=True)
