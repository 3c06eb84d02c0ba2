"""The Lease in its own thread, on a real API server: a busy loop keeps it, and one that evaluates nothing loses it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
from kubernetes import client

from sark_e2e.control_plane import ControlPlane
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.leadership import LeaseLostError
from sark_operator.shell.lease_thread import LeaseThread, lease_thread
from sark_operator.shell.pulse import Pulse
from sark_operator.shell.settings import Settings, parse_settings
from sark_operator.shell.telemetry import Telemetry

pytestmark = pytest.mark.asyncio

SECONDS = 6
PATIENCE = 60.0


@pytest.fixture
def settings(control_plane: ControlPlane, namespace: str) -> Settings:
    return settings_of("first", control_plane, namespace)


def settings_of(identity: str, control_plane: ControlPlane, namespace: str, lease_seconds: int = SECONDS) -> Settings:
    arguments = [f"--kubeconfig={control_plane.kubeconfig}", f"--namespace={namespace}", f"--identity={identity}"]
    return parse_settings([*arguments, f"--lease-namespace={namespace}", f"--lease-seconds={lease_seconds}"], {})


@contextlib.asynccontextmanager
async def leading(settings: Settings, pulse: Pulse) -> AsyncIterator[tuple[LeaseThread, asyncio.Task[None]]]:
    """Hold the Lease and keep it."""
    async with lease_thread(settings, SystemClock(), Telemetry(), pulse) as leadership:
        await asyncio.wait_for(leadership.acquire(), PATIENCE)
        keeping = asyncio.create_task(leadership.keep())
        await asyncio.sleep(0.1)  # until it has begun
        try:
            yield leadership, keeping
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


def holder(api: client.ApiClient, namespace: str) -> str:
    return client.CoordinationV1Api(api).read_namespaced_lease("sark-operator", namespace).spec.holder_identity or ""


async def test_a_loop_that_is_busy_for_longer_than_the_lease_is_relied_on_keeps_it(
    settings: Settings, api: client.ApiClient, namespace: str
) -> None:
    # Given a process that leads, and may be busy for a minute
    pulse = Pulse(SystemClock(), limit_seconds=60)
    async with leading(settings, pulse) as (leadership, keeping):
        term = leadership.term
        # When its loop does not come round for longer than the Lease lasts
        time.sleep(SECONDS * 1.25)  # noqa: ASYNC251 - this is the busy loop

        # Then it leads as before
        assert leadership.held
        await asyncio.sleep(0.1)
        assert not keeping.done()
        assert leadership.term == term
        assert holder(api, namespace) == "first"

    # And at the end it gives the Lease up
    assert holder(api, namespace) == ""


async def test_a_loop_without_a_pulse_loses_it(settings: Settings) -> None:
    # Given a process that leads, and whose evaluations do not come to their end: nobody beats the pulse
    pulse = Pulse(SystemClock(), limit_seconds=SECONDS)
    async with leading(settings, pulse) as (leadership, keeping):
        # Then it stops renewing by itself, says why, and may not write any more
        with pytest.raises(LeaseLostError, match="the operator has evaluated nothing for"):
            await asyncio.wait_for(keeping, PATIENCE)
        assert not leadership.held


async def test_a_loop_that_hangs_hands_the_lease_to_whoever_waits_before_it_would_have_run_out(
    control_plane: ControlPlane, api: client.ApiClient, namespace: str
) -> None:
    # Given a process that leads by a long Lease, and another one that waits for it
    lease_seconds = 60
    first, second = (settings_of(name, control_plane, namespace, lease_seconds) for name in ("first", "second"))
    pulse = Pulse(SystemClock(), limit_seconds=2)
    async with (
        leading(first, pulse) as (leadership, keeping),
        lease_thread(second, SystemClock(), Telemetry(), Pulse(SystemClock(), limit_seconds=60)) as other,
    ):
        waiting = asyncio.create_task(other.acquire())
        await asyncio.sleep(0.5)
        hung_at = time.monotonic()
        assert leadership.held

        # When the first one's loop hangs, then the other leads while it still hangs, and long before the Lease would have ended
        while holder(api, namespace) != "second" and time.monotonic() - hung_at < lease_seconds / 2:
            time.sleep(0.1)  # noqa: ASYNC251 - this is the loop that hangs
        assert holder(api, namespace) == "second"
        assert not leadership.held

        # And when it comes round again it hears why
        with pytest.raises(LeaseLostError, match="the operator has evaluated nothing for"):
            await asyncio.wait_for(keeping, PATIENCE)
        await asyncio.wait_for(waiting, PATIENCE)
        assert other.held


async def test_waiting_for_the_lease_can_be_given_up(settings: Settings) -> None:
    pulse = Pulse(SystemClock(), limit_seconds=60)
    async with leading(settings, pulse), lease_thread(settings, SystemClock(), Telemetry(), pulse) as second:
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(0.5)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert not second.held
