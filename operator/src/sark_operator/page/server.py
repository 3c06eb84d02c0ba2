"""The page in a thread of its own, with a loop of its own: whatever happens there, the operator goes on.

A handler that hangs hangs this thread's loop and nothing else; one that raises is answered with status 500; and should the
whole server end, it is begun anew after a pause. The thread ends with the process and is waited for only shortly.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, Self

import structlog
import uvicorn
from starlette.types import ASGIApp

from sark_operator.shell.alert_receiver import TokenError, read_token
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.connection import load_configuration, open_client
from sark_operator.shell.prometheus_file import prometheus_servers
from sark_operator.shell.settings import Address, PageSettings, Settings

from . import PageError
from .app import Entry, Page, TokenUnreadableError
from .figures import Figures
from .protocol import MAX_CONNECTIONS, MAX_HEAD, BoundedProtocol
from .rollouts import Rollouts
from .streams import Streams

LEAST_TOKEN: Final = 16
"""Fewest bytes of a token: one that can be guessed is none."""
AGAIN_SECONDS: Final = 5.0
"""Pause before a server that has ended by itself is begun anew."""
STOP_SECONDS: Final = 3.0
_KEEP_ALIVE_SECONDS: Final = 5

_log = structlog.get_logger("sark.page")
MakeApp = Callable[[Streams], contextlib.AbstractAsyncContextManager[ASGIApp]]


@contextmanager
def page_beside(settings: Settings, page: PageSettings) -> Iterator[None]:
    """Serve the page until the context is left.

    Raises:
        PageError: the token cannot be used, or the address not be bound.
    """
    if page.token_file is not None:
        _checked_token(page.token_file)
    with PageThread(page.address, lambda streams: _built(settings, page, streams)) as thread:
        _log.info("page served", host=page.address.host, port=thread.port)
        yield


class PageThread:
    """A thread that serves an application. A context manager."""

    def __init__(self, address: Address, make_app: MakeApp) -> None:
        """Serve what `make_app` builds, in the thread's own loop, at `address`."""
        self._address = address
        self._make_app = make_app
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._stopping = threading.Event()
        self._server: uvicorn.Server | None = None
        self._streams: Streams | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket: socket.socket | None = None
        self.port = 0
        """The port it listens on, once it is started."""

    def __enter__(self) -> Self:
        """Listen, and begin. Raises `PageError` when the address cannot be bound."""
        self._socket = self._bound()
        self.port = int(self._socket.getsockname()[1])
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the server; a thread that hangs is left behind, for it ends with the process."""
        self._stopping.set()
        if self._loop is not None and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._end)
        self._thread.join(STOP_SECONDS)

    def _end(self) -> None:
        if self._streams is not None:
            self._streams.close()
        if self._server is not None:
            self._server.should_exit = True

    def _bound(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._address.host else socket.AF_INET
        place = (self._address.host, self._address.port or self.port)
        try:
            return socket.create_server(place, family=family, backlog=MAX_CONNECTIONS)
        except OSError as error:
            raise PageError(f"--page-address {place[0]}:{place[1]} cannot be used: {error.strerror}") from error

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                asyncio.run(self._serve())
            except Exception:  # noqa: BLE001 - whatever it is, it must stay here
                _log.exception("the page ended, and is begun anew", seconds=AGAIN_SECONDS)
            if self._stopping.wait(AGAIN_SECONDS):
                return
            with contextlib.suppress(PageError):
                self._socket = self._bound()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._streams = Streams()
        if self._socket is None:
            return
        async with self._make_app(self._streams) as app:
            config = uvicorn.Config(
                app,
                http=BoundedProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=1,
                h11_max_incomplete_event_size=MAX_HEAD,
                backlog=MAX_CONNECTIONS,
            )
            self._server = uvicorn.Server(config)
            self._server.should_exit = self._stopping.is_set()
            await self._server.serve(sockets=[self._socket])


@asynccontextmanager
async def _built(settings: Settings, page: PageSettings, streams: Streams) -> AsyncIterator[ASGIApp]:
    """Build the page's own clients and close them at the end."""
    clock = SystemClock()
    servers = prometheus_servers(settings.prometheus_config)
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(open_client(await load_configuration(settings)))
        rollouts, figures = Rollouts(client, clock, settings.namespaces), Figures(clock, servers)
        stack.push_async_callback(rollouts.close)
        stack.push_async_callback(figures.close)
        yield Page(entry(page), rollouts, figures, clock, streams).app()


def entry(page: PageSettings) -> Entry:
    """Return how one gets in."""
    return Entry(_reader(page.token_file) if page.token_file else None, page.user_header, page.proxies)


def _reader(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return _checked_token(path)
        except PageError as error:
            _log.error("nobody is let in", problem=str(error))
            raise TokenUnreadableError from error

    return read


def _checked_token(path: Path) -> bytes:
    try:
        token = read_token(path)
    except TokenError as error:
        raise PageError(str(error).replace("alert token file", "page's token file")) from error
    if len(token) < LEAST_TOKEN:
        raise PageError(f"the page's token file {path} must hold at least {LEAST_TOKEN} bytes: openssl rand -hex 32")
    return token
