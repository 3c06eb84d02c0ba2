"""Asking sidecars: what they say, and every way in which they can fail to say it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from sark_api.report import MAX_REPORT_BYTES
from sark_operator.shell.api import ReadyPod
from sark_operator.shell.sidecar_access import SidecarAccess
from sark_operator.shell.sidecars import CONCURRENCY, OF_A_NAMESPACE, SidecarDirectory, open_session

pytestmark = pytest.mark.asyncio

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[int]]

REPORT: dict[str, Any] = {
    "state": "watching",
    "revision": 7,
    "percentage": 25,
    "sha256": "ab",
    "rollout": "shop/gateway",
    "since": "2026-01-01T00:00:00.250Z",
    "policy_revision": "p1",
    "baseline_policy_revision": "p2",
    "baseline_only_count": 3,
    "baseline_only": [{"path": "authz/remote", "reason": "no http.send"}],
    "added_later": "ignored",
}


@pytest_asyncio.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves /flags on a port of the loopback, which it returns."""
    async with AsyncExitStack() as stack:

        async def start(handler: Handler) -> int:
            application = web.Application()
            application.add_routes([web.get("/flags", handler)])
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port: int = runner.addresses[0][1]
            return port

        yield start


@pytest_asyncio.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened


def pod(name: str = "gateway-0") -> ReadyPod:
    return ReadyPod(name, "127.0.0.1")


def answering(body: bytes, *, status: int = 200) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status)

    return handler


async def test_a_report_is_read_whole_and_unknown_members_are_ignored(serve: Serve, session: aiohttp.ClientSession):
    port = await serve(answering(json.dumps(REPORT).encode()))
    (report,) = await SidecarDirectory(session, SidecarAccess()).reports([pod()], port, "shop")
    assert report.error == ""
    assert (report.name, report.percent, report.revision, report.rollout) == ("gateway-0", 25, 7, "shop/gateway")
    assert (report.sha256, report.policy_revision, report.baseline_policy_revision) == ("ab", "p1", "p2")
    assert (report.since, report.expired) == (datetime(2026, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC), False)
    assert (report.baseline_only_count, report.baseline_only) == (3, (("authz/remote", "no http.send"),))


async def test_a_sidecar_whose_flags_have_expired_says_so(serve: Serve, session: aiohttp.ClientSession):
    port = await serve(answering(json.dumps(REPORT | {"state": "expired"}).encode()))
    (report,) = await SidecarDirectory(session, SidecarAccess()).reports([pod()], port, "shop")
    assert (report.error, report.expired) == ("", True)


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        pytest.param(answering(b"not json"), "not a flag report", id="no JSON"),
        pytest.param(answering(b"{}"), "state: Field required", id="members missing"),
        pytest.param(
            answering(json.dumps(REPORT | {"percentage": 101}).encode()), "percentage: Input should be", id="out of range"
        ),
        pytest.param(answering(b"[" * 50_000), "not a flag report", id="deep"),
        pytest.param(answering(b" " * (MAX_REPORT_BYTES + 1)), f"longer than {MAX_REPORT_BYTES} bytes", id="too long"),
        pytest.param(answering(b"", status=404), "HTTP 404; is this the sidecar's admin port?", id="another server"),
        pytest.param(answering(b"", status=500), "HTTP 500", id="broken"),
        pytest.param(answering(b"", status=401), "HTTP 401: it wants a token", id="a token is missing"),
    ],
)
async def test_an_answer_that_is_no_report_is_said(serve: Serve, session: aiohttp.ClientSession, handler: Handler, said: str):
    port = await serve(handler)
    (report,) = await SidecarDirectory(session, SidecarAccess()).reports([pod()], port, "shop")
    assert report.error.startswith(f"GET /flags on port {port}: ")
    assert said in report.error
    assert (report.percent, report.revision) == (None, None)


async def test_a_redirect_is_not_followed(serve: Serve, session: aiohttp.ClientSession):
    elsewhere = await serve(answering(json.dumps(REPORT).encode()))

    async def redirect(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"http://127.0.0.1:{elsewhere}/flags")

    (report,) = await SidecarDirectory(session, SidecarAccess()).reports([pod()], await serve(redirect), "shop")
    assert "HTTP 302" in report.error


async def test_nobody_listening_is_said(session: aiohttp.ClientSession):
    (report,) = await SidecarDirectory(session, SidecarAccess()).reports([pod()], 9, "shop")
    assert report.error == "GET /flags on port 9: cannot connect: connection refused"


async def test_a_sidecar_that_hangs_holds_up_nobody_else(serve: Serve, session: aiohttp.ClientSession):
    # Given a server that answers the first question and hangs with the second, half way through the body
    asked = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        if asked == 1:
            return web.Response(body=json.dumps(REPORT).encode())
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{")
        await asyncio.sleep(60)
        return response

    port = await serve(handler)

    # When two pods are asked, then the one has answered and the other ran out of time
    directory = SidecarDirectory(session, SidecarAccess(), answer_seconds=0.3)
    reports = await directory.reports([pod("a"), pod("b")], port, "shop")
    assert [report.name for report in reports] == ["a", "b"]
    assert sorted(report.error for report in reports) == ["", f"GET /flags on port {port}: no answer within 0.3 s"]


async def test_an_answer_that_nobody_foresaw_is_a_problem_of_that_sidecar_alone(
    serve: Serve, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
):
    # Given two sidecars, and a fault in what reads the answer of one
    port = await serve(answering(json.dumps(REPORT).encode()))
    asked = SidecarDirectory._fetch

    async def fetch(self: SidecarDirectory, one: ReadyPod, *rest: Any) -> bytes:
        if one.name == "odd":
            raise RuntimeError("a bug")
        return await asked(self, one, *rest)

    monkeypatch.setattr(SidecarDirectory, "_fetch", fetch)

    # When both are asked, then the other is heard, and nobody's evaluation ends for it
    odd, well = await SidecarDirectory(session, SidecarAccess()).reports([pod("odd"), pod("well")], port, "shop")
    assert odd.error == f"GET /flags on port {port}: RuntimeError: a bug"
    assert (well.percent, well.error) == (25, "")


async def test_many_pods_are_asked_a_bounded_number_at_a_time(serve: Serve, session: aiohttp.ClientSession):
    under_way = most = 0

    async def handler(_: web.Request) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.05)
        under_way -= 1
        return web.Response(body=json.dumps(REPORT).encode())

    port = await serve(handler)
    directory, names = SidecarDirectory(session, SidecarAccess()), [f"p{n}" for n in range(OF_A_NAMESPACE * 2)]
    of_each = await asyncio.gather(*(directory.reports([pod(name) for name in names], port, f"team-{n}") for n in range(6)))
    for reports in of_each:
        assert [report.name for report in reports] == names
        assert not any(report.error for report in reports)
    assert OF_A_NAMESPACE < most <= CONCURRENCY


async def test_who_is_not_asked_in_time_has_not_confirmed_and_holds_up_nothing(serve: Serve, session: aiohttp.ClientSession):
    # Given many more sidecars than are asked at once, all of which hang
    over = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    port = await serve(hang)
    directory = SidecarDirectory(session, SidecarAccess(), answer_seconds=0.5, turn_seconds=0.1)

    # When all are asked, and while they are one of another namespace
    asked = asyncio.create_task(directory.reports([pod(f"p-{number}") for number in range(4 * CONCURRENCY)], port, "shop"))
    await asyncio.sleep(0.05)
    (report,) = await directory.reports([pod()], await serve(answering(json.dumps(REPORT).encode())), "billing")
    assert report.error == ""
    reports = await asked
    over.set()

    # Then the first have not answered, and the others were not waited for
    assert sum("no answer within 0.5 s" in report.error for report in reports) == OF_A_NAMESPACE
    assert (
        sum("not asked within 0.1 s: too many other" in report.error for report in reports) == 4 * CONCURRENCY - OF_A_NAMESPACE
    )

    # And whoever is asked next gets a turn
    (report,) = await directory.reports([pod()], await serve(answering(json.dumps(REPORT).encode())), "shop")
    assert report.error == ""


async def test_those_that_wait_for_their_turn_take_no_place_from_another_namespace(serve: Serve):
    # Given a namespace with more sidecars than are asked at once, all of which hang for as long as they may
    over = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    hanging, answers = await serve(hang), await serve(answering(json.dumps(REPORT).encode()))
    async with aiohttp.ClientSession() as patient:
        directory = SidecarDirectory(patient, SidecarAccess(), answer_seconds=60, turn_seconds=60)
        pods = [pod(f"p-{number}") for number in range(2 * CONCURRENCY)]
        asked = asyncio.create_task(directory.reports(pods, hanging, "shop"))
        await asyncio.sleep(0.05)

        # When one of another namespace is asked, then it is its turn before any of those has come to its end
        (report,) = await asyncio.wait_for(directory.reports([pod()], answers, "billing"), 20)
        assert (report.error, asked.done()) == ("", False)
        over.set()
        await asked


async def test_hurried_ones_have_little_time(serve: Serve, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch):
    # Given a namespace all of whose sidecars hang
    monkeypatch.setattr("sark_operator.shell.sidecars.HURRIED_SECONDS", 0.1)
    over = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    port = await serve(hang)
    directory = SidecarDirectory(session, SidecarAccess(), answer_seconds=0.5)

    # When they are asked in a hurry, then only the first have a turn
    reports = await directory.reports([pod(f"p-{n}") for n in range(2 * OF_A_NAMESPACE)], port, "shop", hurried=True)
    over.set()
    assert sum("not asked within 0.1 s" in report.error for report in reports) == OF_A_NAMESPACE


async def test_an_ipv6_address_makes_a_url(session: aiohttp.ClientSession):
    (report,) = await SidecarDirectory(session, SidecarAccess()).reports([ReadyPod("six", "::1")], 9, "shop")
    assert report.error.startswith("GET /flags on port 9: cannot connect: ")
