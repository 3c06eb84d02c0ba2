"""A TCP link between the sidecar and a server, which can be cut, frozen, slowed down, or made to talk nonsense."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from enum import StrEnum
from typing import Any, Self

_BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nsorry"


class Weather(StrEnum):
    """What the link does to what passes."""

    FAIR = "fair"
    CUT = "cut"
    """Connections are reset, new ones too."""
    FROZEN = "frozen"
    """Connections stay, new ones are taken, and nothing passes: a black hole."""
    SLOW = "slow"
    """Each answer comes late."""
    NONSENSE = "nonsense"
    """Whatever is asked, a proxy's 502 comes back."""


class Link:
    """Forwards one port to a server. A context manager; the methods may be called from any thread."""

    def __init__(self, target: str, port: int, *, listen: str, slow_seconds: float) -> None:
        self._target = (target, port)
        self._listen = listen
        self._slow = slow_seconds
        self._weather = Weather.FAIR
        self._changed = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="link", daemon=True)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._open()).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close()).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def become(self, weather: Weather) -> None:
        """Change the weather; cutting resets what is open."""
        self._do(self._become(weather)).result(10)

    def _do(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._listen, 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _become(self, weather: Weather) -> None:
        self._weather = weather
        self._changed.set()
        self._changed = asyncio.Event()
        if weather is Weather.CUT:
            for writer in list(self._writers):
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs has a task
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            await self._forward(reader, writer)
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._weather is Weather.CUT:
            return
        await self._while_frozen()
        if self._weather is Weather.NONSENSE:
            while await reader.read(65_536) and self._weather is Weather.NONSENSE:
                writer.write(_BAD_GATEWAY)
            return
        there, onward = await asyncio.open_connection(*self._target)
        self._writers.add(onward)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, onward))
                both.create_task(self._answers(there, writer))
        except* OSError:
            pass
        finally:
            self._writers.discard(onward)
            onward.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._while_frozen()
            if self._weather is Weather.NONSENSE:
                raise ConnectionResetError
            writer.write(data)
        raise ConnectionResetError

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            if self._weather is Weather.SLOW:
                await asyncio.sleep(self._slow)
            await self._while_frozen()
            writer.write(data)
        raise ConnectionResetError

    async def _while_frozen(self) -> None:
        while self._weather is Weather.FROZEN:
            await self._changed.wait()
