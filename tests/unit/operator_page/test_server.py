"""The page's thread: whatever happens in it, the loop beside it goes on; and nobody can wear it out."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from sark_api.spec import Prometheus
from sark_operator.core.observation import Missing
from sark_operator.page import protocol, server
from sark_operator.page.figures import Figures
from sark_operator.page.server import LEAST_TOKEN, PageError, PageThread, _checked_token
from sark_operator.page.streams import Streams
from sark_operator.shell.clock import Clock
from sark_operator.shell.prometheus_access import OPEN, Servers
from sark_operator.shell.settings import Address, parse_settings

HERE = Address("127.0.0.1", 0)


async def fine(_: Request) -> PlainTextResponse:
    return PlainTextResponse("fine")


async def hangs(_: Request) -> PlainTextResponse:
    time.sleep(3)  # noqa: ASYNC251 - it hangs the whole loop of the page, on purpose
    return PlainTextResponse("late")


async def throws(_: Request) -> PlainTextResponse:
    raise RuntimeError("broken handler")


@contextlib.asynccontextmanager
async def app(_: Streams) -> AsyncIterator[ASGIApp]:
    yield Starlette(routes=[Route("/fine", fine), Route("/hangs", hangs), Route("/throws", throws)])


def ask(thread: PageThread, path: str, seconds: float = 10) -> str:
    with urlopen(f"http://127.0.0.1:{thread.port}{path}", timeout=seconds) as answer:
        return str(answer.read().decode())


def eventually(test: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if test():
                return
        except OSError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_handler_that_hangs_does_not_hold_up_the_operators_loop():
    async def operator(thread: PageThread) -> int:
        stuck = asyncio.get_running_loop().run_in_executor(None, ask, thread, "/hangs", 30)
        ticks = 0
        while not stuck.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert await stuck == "late"
        return ticks

    with PageThread(HERE, app) as thread:
        eventually(lambda: ask(thread, "/fine") == "fine")
        assert asyncio.run(operator(thread)) > 20  # three seconds of a hundred ticks each on a quiet machine


def test_a_handler_that_throws_is_a_500_and_the_page_goes_on():
    with PageThread(HERE, app) as thread:
        eventually(lambda: ask(thread, "/fine") == "fine")
        with pytest.raises(HTTPError) as refusal:
            ask(thread, "/throws")
        with refusal.value as answer:
            assert answer.code == 500
            assert "broken handler" not in answer.read().decode()
        assert ask(thread, "/fine") == "fine"


def test_a_page_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(server, "STOP_SECONDS", 0.2)
    thread = PageThread(HERE, app)
    with thread:
        eventually(lambda: ask(thread, "/fine") == "fine")
        with socket.create_connection(("127.0.0.1", thread.port)) as stuck:
            stuck.sendall(b"GET /hangs HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.2)
            begun = time.monotonic()
            thread.__exit__()
    assert time.monotonic() - begun < 2.5
    thread._thread.join(20)


def test_a_server_that_ends_by_itself_is_begun_anew(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(server, "AGAIN_SECONDS", 0.05)
    tries: list[int] = []

    @contextlib.asynccontextmanager
    async def fails_once(streams: Streams) -> AsyncIterator[ASGIApp]:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("no client")
        async with app(streams) as made:
            yield made

    with PageThread(HERE, fails_once) as thread:
        eventually(lambda: ask(thread, "/fine") == "fine")
    assert len(tries) == 2


def test_a_connection_that_says_nothing_is_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.2)
    with PageThread(HERE, app) as thread:
        eventually(lambda: ask(thread, "/fine") == "fine")
        for said in (b"", b"GET /fine HTTP/1.1\r\nHost: x\r\nX-Slow: "):
            with socket.create_connection(("127.0.0.1", thread.port), timeout=10) as silent:
                silent.sendall(said)
                with contextlib.suppress(ConnectionResetError):
                    assert silent.recv(100) == b""


def test_a_connection_too_many_is_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 2)
    with PageThread(HERE, app) as thread:
        eventually(lambda: ask(thread, "/fine") == "fine")
        with contextlib.ExitStack() as stack:
            for _ in range(2):
                stack.enter_context(socket.create_connection(("127.0.0.1", thread.port)))
            time.sleep(0.3)
            with pytest.raises(OSError):  # noqa: PT011 - closed, whether before or after the question was sent
                ask(thread, "/fine")
        eventually(lambda: ask(thread, "/fine") == "fine")


def test_a_head_beyond_the_limit_is_refused():
    with PageThread(HERE, app) as thread:
        eventually(lambda: ask(thread, "/fine") == "fine")
        with socket.create_connection(("127.0.0.1", thread.port), timeout=10) as long:
            with contextlib.suppress(ConnectionError):
                long.sendall(b"GET /fine HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * (protocol.MAX_HEAD * 4))
            with contextlib.suppress(ConnectionError):
                assert b"200 OK" not in long.recv(1000)
        assert ask(thread, "/fine") == "fine"


def test_an_address_that_is_taken_is_said_to_be():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PageError, match=rf"--page-address 127\.0\.0\.1:{port} cannot be used"):
            PageThread(Address("127.0.0.1", port), app).__enter__()


@pytest.mark.parametrize("text", ["", "short", "x" * (LEAST_TOKEN - 1), "x" * 5000])
def test_a_token_that_is_none_is_refused_at_the_start(tmp_path: Path, text: str):
    (tmp_path / "token").write_text(text)
    with pytest.raises(PageError, match=r"the page's token file .* must hold"):
        _checked_token(tmp_path / "token")
    (tmp_path / "token").write_text("x" * LEAST_TOKEN + "\n")
    assert _checked_token(tmp_path / "token") == b"x" * LEAST_TOKEN


@pytest.mark.asyncio
async def test_an_edit_of_the_prometheus_file_counts_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # Given a page whose operator has a file that closes no Prometheus
    config, kubeconfig, token = (tmp_path / name for name in ("prometheus.yaml", "kubeconfig", "token"))
    config.write_text("servers: []")
    token.write_text("x" * LEAST_TOKEN)
    named = {"name": "here"}
    places = {
        "clusters": [{**named, "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{**named, "user": {"token": "t"}}],
    }
    contexts = [{**named, "context": {"cluster": "here", "user": "here"}}]
    kubeconfig.write_text(yaml.safe_dump({**places, "contexts": contexts, "current-context": "here"}))
    flags = [f"--kubeconfig={kubeconfig}", f"--prometheus-config={config}"]
    page = ["--page-address=127.0.0.1:0", f"--page-token-file={token}"]
    given: list[Servers] = []

    class Asking(Figures):
        def __init__(self, clock: Clock, servers: Servers) -> None:
            given.append(servers)
            super().__init__(clock, servers)

    monkeypatch.setattr(server, "Figures", Asking)
    settings = parse_settings(["--namespace=shop", *flags, *page], {})
    assert settings.page is not None
    async with server._built(settings, settings.page, Streams()):
        [servers] = given
        asked = Prometheus(address="http://prometheus:9090")
        assert servers.access(asked, "shop") == OPEN

        # When it is written anew, then the page asks by it
        config.write_text(yaml.safe_dump({"servers": [{"address": asked.address, "namespaces": ["billing"]}]}))
        assert isinstance(servers.access(asked, "shop"), Missing)
