"""A proxy between one client and the API server: it notes every request, and does to chosen ones what networks and servers do.

It speaks plain HTTP to the client, who is on the same machine, and passes the client's own credentials on; so the API server
still knows, and judges, who is asking.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Self

import aiohttp
from aiohttp import web

from sark_e2e.control_plane import Access

_HOP_BY_HOP: Final = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "accept-encoding"}
_MAX_BODY: Final = 8 * 1024 * 1024
WRITES: Final = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(slots=True)
class Exchange:
    """One request, and what came of it."""

    method: str
    path: str
    """With its query."""
    at: float
    """Monotonic seconds at which it came."""
    status: int = 0
    """What the API server answered; 0 while or because it was never asked."""
    told: int = 0
    """What the client was told; 0 when it was told nothing."""
    body: str = ""
    """What a write asked for."""

    @property
    def writes(self) -> bool:
        """Whether it asks for a change."""
        return self.method in WRITES

    @property
    def had_effect(self) -> bool:
        """Whether the API server did it."""
        return self.writes and 200 <= self.status < 300

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status or 'not asked'}, told {self.told or 'nothing'}"


@dataclass(slots=True)
class Fault:
    """What happens to the requests it is meant for. Made by the functions below."""

    method: str
    """Regular expression of the whole method."""
    path: str
    """Regular expression found in the path with its query."""
    body: str = ""
    """Regular expression found in what the request carries."""
    status: int = 0
    """Answer with this status instead of asking; 0 asks."""
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "injected fault"
    event: bool = False
    """Answer a watch with an event of that error, as the API server does once the watch is open, and end it there."""
    delay: float = 0.0
    """Seconds to wait before asking."""
    drop_request: bool = False
    """Close the connection instead of asking."""
    drop_answer: bool = False
    """Ask, then close the connection instead of answering."""
    before: Callable[[], object] | None = None
    """Called before asking."""
    after: Callable[[], object] | None = None
    """Called when the API server has answered and the client does not know yet."""
    hold: bool = False
    """Keep the request back until `release`."""
    times: int = 1_000_000
    """How many requests it is done to."""
    skip: int = 0
    """How many matching requests pass untouched first."""
    met: int = 0
    """How many requests it has been done to."""
    holding: threading.Event = field(default_factory=threading.Event)
    """Set once a request is being kept back."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def meant_for(self, exchange: Exchange) -> bool:
        """Return whether it is done to `exchange`, and count it."""
        if self.met >= self.times or not re.fullmatch(self.method, exchange.method):
            return False
        if not re.search(self.path, exchange.path) or not re.search(self.body, exchange.body):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.met += 1
        return True


class ApiProxy:
    """One client's way to the API server. A context manager; its methods may be called from any thread."""

    def __init__(self, access: Access, *, listen: str) -> None:
        self._access = access
        self._listen = listen
        self._faults: list[Fault] = []
        self._passed: list[tuple[Exchange, web.Request]] = []
        """Requests whose answer is on its way."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="api proxy", daemon=True)
        self.journal: list[Exchange] = []
        """Every request in the order in which they came."""
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._open()).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
        self._do(self._close()).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def inject(self, method: str, path: str, **what: Any) -> Fault:
        """Do `what` (the members of Fault) to requests whose method and path match, from now on."""
        fault = Fault(method, path, **what)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """End all faults and let go of what is kept back."""
        faults, self._faults = self._faults, []
        for fault in faults:
            self.release(fault)

    def release(self, fault: Fault) -> None:
        """Let go of what `fault` keeps back; it keeps nothing back any more."""
        fault.times = fault.met
        self._loop.call_soon_threadsafe(fault.gate.set)

    def cut(self, method: str, path: str) -> None:
        """Break off the answers under way, as of watches, to requests whose method and path match."""
        self._do(self._cut(method, path)).result(10)

    def since(self, moment: float) -> list[Exchange]:
        """Return the requests that came after `moment`, in monotonic seconds."""
        return [exchange for exchange in self.journal if exchange.at >= moment]

    def _do(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _open(self) -> None:
        context = ssl.create_default_context(cafile=str(self._access.authority))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            skip_auto_headers=("Content-Type", "User-Agent"),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._listen, 0)
        await site.start()
        self.url = f"http://{self._listen}:{self._runner.addresses[0][1]}"

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        exchange = Exchange(request.method, request.raw_path, time.monotonic())
        self.journal.append(exchange)
        body = await request.read()
        exchange.body = body.decode("utf-8", errors="replace") if exchange.writes else ""
        fault = next((each for each in self._faults if each.meant_for(exchange)), None)
        if fault is not None and not await self._pass(fault):
            return _cut(request)
        if fault is not None and fault.status:
            exchange.told = 200 if fault.event else fault.status
            return _answer(fault)
        try:
            return await self._forward(request, body, exchange, fault)
        except aiohttp.ClientError:
            return _cut(request)

    async def _pass(self, fault: Fault) -> bool:
        """Do what comes before asking; return whether the request goes on."""
        await asyncio.sleep(fault.delay)
        if fault.before is not None:
            await asyncio.to_thread(fault.before)
        if fault.hold:
            fault.holding.set()
            await fault.gate.wait()
        return not fault.drop_request

    async def _forward(self, request: web.Request, body: bytes, exchange: Exchange, fault: Fault | None) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        url = f"{self._access.server}{request.raw_path}"
        async with self._session.request(
            request.method, url, headers=headers, data=body or None, allow_redirects=False
        ) as answer:
            exchange.status = answer.status
            if fault is not None and fault.after is not None:
                await asyncio.to_thread(fault.after)
            if fault is not None and fault.drop_answer:
                await answer.read()
                return _cut(request)
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            self._passed.append((exchange, request))
            try:
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            finally:
                self._passed.remove((exchange, request))
            await response.write_eof()
            exchange.told = answer.status
            return response

    async def _cut(self, method: str, path: str) -> None:
        for exchange, request in self._passed:
            if re.fullmatch(method, exchange.method) and re.search(path, exchange.path):
                _cut(request)


def _answer(fault: Fault) -> web.Response:
    reason = {409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError"}.get(fault.status, "Unknown")
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": fault.status}
    error = {**status, "reason": reason, "message": fault.message}
    if fault.event:
        return web.Response(text=json.dumps({"type": "ERROR", "object": error}) + "\n", content_type="application/json")
    text = json.dumps(error)
    return web.Response(status=fault.status, text=text, content_type="application/json", headers=dict(fault.headers))


def _cut(request: web.Request) -> web.Response:
    """Close the client's connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)
