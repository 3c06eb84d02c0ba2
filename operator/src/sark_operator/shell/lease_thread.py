"""The Lease in a thread of its own, so that a loop that is busy with a thousand rollouts still renews it in time.

The thread has an event loop and a connection to the API server of its own. It renews only while it feels the pulse of the loop
that works (see `pulse`): a process whose evaluations hang gives the Lease up, so that another one can work.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NoReturn, TypeVar

from kubernetes.aio.client import ApiClient

from sark_api.status import Leader
from sark_operator.shell.clock import Clock
from sark_operator.shell.connection import load_configuration, open_client
from sark_operator.shell.leadership import Leadership
from sark_operator.shell.pulse import Pulse
from sark_operator.shell.settings import Settings
from sark_operator.shell.telemetry import Telemetry

Result = TypeVar("Result")


class LeaseThread:
    """`Leadership` as the working loop sees it: its waiting happens in the other loop, its state is read directly."""

    def __init__(self, loop: asyncio.AbstractEventLoop, leadership: Leadership) -> None:
        self._loop = loop
        self._leadership = leadership
        self._tasks: set[asyncio.Task[Any]] = set()
        """What is under way in the thread's loop; touched only there."""

    @property
    def held(self) -> bool:
        """Whether this process may act now."""
        return self._leadership.held

    @property
    def term(self) -> Leader:
        """Under which term of the Lease this process acts, or acted last."""
        return self._leadership.term

    @property
    def foreign(self) -> str:
        """That the Lease is held by one that serves other namespaces than this process is to, as a sentence; else empty."""
        return self._leadership.foreign

    async def acquire(self) -> None:
        """Wait until the Lease is ours."""
        await _there(self._loop, self._noted(self._leadership.acquire()))

    async def keep(self) -> NoReturn:
        """Renew the Lease; raises LeaseLostError when it is not ours any longer."""
        await _there(self._loop, self._noted(self._leadership.keep()))
        raise AssertionError("unreachable: keeping ends by an error")

    async def release(self) -> None:
        """End what is under way, and give the Lease up if it is still ours."""
        await _there(self._loop, self._release())

    async def _noted(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await task

    async def _release(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._leadership.release()


@asynccontextmanager
async def lease_thread(settings: Settings, clock: Clock, telemetry: Telemetry, pulse: Pulse) -> AsyncIterator[LeaseThread]:
    """Start the thread, and end it afterwards with all that is under way in it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="lease", daemon=True)
    thread.start()
    try:
        client = await _there(loop, _client(settings))
        leadership = Leadership(client, settings, clock, telemetry, unfit=pulse.missing)
        leading = LeaseThread(loop, leadership)
        try:
            yield leading
        finally:
            await leading.release()
            await _there(loop, client.close())  # type: ignore[no-untyped-call]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join)
        loop.close()


async def _client(settings: Settings) -> ApiClient:
    """Return a client that lives in the loop this runs in; its credentials are renewed there too."""
    return open_client(await load_configuration(settings))


async def _there(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` in another thread's loop; who is cancelled here cancels it there."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))
