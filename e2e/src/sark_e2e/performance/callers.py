"""The ways a caller asks for a decision over HTTP, each as a function that asks one question and returns the answer's bytes.

What aiohttp and httpx cost beside a raw socket is the caller's own part of a latency.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import httpx

from sark_e2e.bench.failure import BenchError

Ask = Callable[[bytes], bytes]
"""Takes the body of a question, returns the body of the answer."""
_JSON: Final = {"Content-Type": "application/json"}
_OK: Final = 200
_SECONDS: Final = 30


class RawCaller:
    """One keep-alive connection, and nothing a request does not need."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._socket = socket.create_connection((str(place.hostname), int(place.port or 80)), timeout=_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n".encode()

    def __call__(self, body: bytes) -> bytes:
        """Ask. Raises BenchError when the answer is no HTTP 200 of a known length."""
        self._socket.sendall(b"%bContent-Length: %d\r\n\r\n%b" % (self._head, len(body), body))
        received = self._socket.recv(65_536)
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._more()
        head = received[:end].lower()
        at = head.find(b"content-length:")
        if not head.startswith(b"http/1.1 200") or at < 0:
            raise BenchError(f"the answer was {received[:200]!r}")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        while len(received) < end + 4 + length:
            received += self._more()
        return received[end + 4 :]

    def _more(self) -> bytes:
        if not (part := self._socket.recv(65_536)):
            raise BenchError("the server closed the connection")
        return part

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


@contextlib.contextmanager
def raw(url: str) -> Iterator[Ask]:
    """Give a raw socket's way."""
    with contextlib.closing(RawCaller(url)) as caller:
        yield caller


@contextlib.contextmanager
def with_aiohttp(url: str) -> Iterator[Ask]:
    """Give aiohttp's way, on an event loop of its own that runs once for each question."""
    loop = asyncio.new_event_loop()
    session = loop.run_until_complete(_session())
    try:
        yield lambda body: loop.run_until_complete(ask_aiohttp(session, url, body))
    finally:
        loop.run_until_complete(session.close())
        loop.close()


@contextlib.contextmanager
def with_httpx(url: str) -> Iterator[Ask]:
    """Give httpx's way, asynchronous as aiohttp's."""
    loop = asyncio.new_event_loop()
    client = httpx.AsyncClient(trust_env=False, timeout=_SECONDS)

    async def ask(body: bytes) -> bytes:
        answer = await client.post(url, content=body, headers=_JSON)
        return _checked(answer.status_code, answer.content)

    try:
        yield lambda body: loop.run_until_complete(ask(body))
    finally:
        loop.run_until_complete(client.aclose())
        loop.close()


async def ask_aiohttp(session: aiohttp.ClientSession, url: str, body: bytes) -> bytes:
    """Ask one question. Raises BenchError unless the answer is HTTP 200."""
    async with session.post(url, data=body, headers=_JSON) as answer:
        return _checked(answer.status, await answer.read())


def tasks_at_once(url: str, bodies: Sequence[bytes], count: int) -> tuple[list[float], float]:
    """Ask every body by aiohttp, from `count` tasks of one event loop; return the seconds of each, and of all together."""

    async def run() -> tuple[list[float], float]:
        times: list[float] = []
        connector = aiohttp.TCPConnector(limit=count)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def one(own: Sequence[bytes]) -> None:
                for body in own:
                    began = time.perf_counter()
                    await ask_aiohttp(session, url, body)
                    times.append(time.perf_counter() - began)

            await gather(one(bodies[:1]) for _ in range(count))
            times.clear()
            began = time.perf_counter()
            await gather(one(bodies[number::count]) for number in range(count))
            return times, time.perf_counter() - began

    return asyncio.run(run())


async def gather(works: Iterator[Awaitable[None]]) -> None:
    """Await all."""
    await asyncio.gather(*works)


def threads_at_once(ask: Ask, bodies: Sequence[bytes], count: int) -> tuple[list[float], float]:
    """Ask every body from `count` threads; return the seconds of each, and of all together."""
    times: list[list[float]] = [[] for _ in range(count)]
    problems: list[BaseException] = []
    barrier = threading.Barrier(count + 1)

    def one(number: int) -> None:
        own = times[number]
        try:
            barrier.wait(_SECONDS)
            for body in bodies[number::count]:
                began = time.perf_counter()
                ask(body)
                own.append(time.perf_counter() - began)
        except (BenchError, OSError, threading.BrokenBarrierError) as error:
            problems.append(error)

    workers = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(count)]
    for worker in workers:
        worker.start()
    barrier.wait(_SECONDS)
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    took = time.perf_counter() - began
    if problems:
        raise BenchError(f"{len(problems)} of {count} threads failed; the first: {problems[0]}")
    return [each for own in times for each in own], took


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS))


def _checked(status: int, body: bytes) -> bytes:
    if status != _OK:
        raise BenchError(f"the answer was {status}: {body[:200]!r}")
    return body
