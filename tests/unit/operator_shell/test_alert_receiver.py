"""The port Alertmanager sends to: who may, what is understood, what is bounded, and that it wakes and does nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog

from sark_operator.shell.alert_receiver import (
    LEAST_SECONDS,
    MAX_ALERTS,
    MAX_BODY,
    MAX_LABELS,
    PATH,
    AlertReceiver,
    PayloadError,
    TokenError,
    authorized,
    parse_notices,
)
from sark_operator.shell.api import RolloutObject
from sark_operator.shell.directory import Directory
from sark_operator.shell.settings import Address
from sark_operator.shell.telemetry import Telemetry

TOKEN = "correct horse battery staple"
FIRING = {"status": "firing", "labels": {"alertname": "Slow", "sark_rollout": "shop/gateway"}}


def payload(*alerts: Mapping[str, Any], **members: Any) -> bytes:
    return json.dumps({"version": "4", "status": "firing", "receiver": "sark", "alerts": list(alerts), **members}).encode()


class Desk:
    """A receiver, and who was woken by it."""

    def __init__(self, folder: Path) -> None:
        self.token = folder / "token"
        self.token.write_text(f"{TOKEN}\n")
        self.woken: list[str] = []
        self.woken_at: list[float] = []
        self.asked: list[Sequence[Mapping[str, str]]] = []
        self.leads = True
        self.telemetry = Telemetry()

    def concerned(self, alerts: Sequence[Mapping[str, str]]) -> Sequence[str]:
        self.asked.append(alerts)
        return ["u1"] if any(labels.get("sark_rollout") == "shop/gateway" for labels in alerts) else []

    def wake(self, uid: str) -> None:
        self.woken.append(uid)
        self.woken_at.append(time.monotonic())

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[AlertReceiver]:
        receiver = AlertReceiver(
            Address("127.0.0.1", 0),
            self.token,
            self.telemetry,
            concerned=self.concerned,
            wake=self.wake,
            leads=lambda: self.leads,
        )
        await receiver.start()
        try:
            yield receiver
        finally:
            await receiver.stop()

    def count(self, outcome: str) -> float:
        return self.telemetry.registry.get_sample_value("sark_operator_alert_notifications_total", {"outcome": outcome}) or 0.0


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    structlog.reset_defaults()
    return Desk(tmp_path)


async def send(
    receiver: AlertReceiver, body: bytes | io.BytesIO, *, token: str = TOKEN, method: str = "POST", path: str = PATH
) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session,
        session.request(method, f"http://127.0.0.1:{receiver.port}{path}", data=body, headers=headers) as answer,
    ):
        await answer.read()
        return answer.status


@pytest.mark.asyncio
async def test_an_alert_wakes_the_rollout_it_is_about(desk: Desk):
    async with desk.served() as receiver:
        assert await send(receiver, payload(FIRING)) == 200
    assert desk.woken == ["u1"]
    assert desk.asked == [[FIRING["labels"]]]
    assert desk.count("accepted") == 1


@pytest.mark.asyncio
async def test_the_end_of_an_alert_wakes_it_too(desk: Desk):
    async with desk.served() as receiver:
        assert await send(receiver, payload({**FIRING, "status": "resolved"}, status="resolved")) == 200
    assert desk.woken == ["u1"]


@pytest.mark.asyncio
async def test_an_alert_about_something_else_wakes_nobody(desk: Desk):
    async with desk.served() as receiver:
        assert await send(receiver, payload({"status": "firing", "labels": {"alertname": "DiskFull"}})) == 200
    assert desk.woken == []


@pytest.mark.asyncio
@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], f"{TOKEN}x"])
async def test_whoever_has_not_the_token_is_not_heard(desk: Desk, token: str):
    async with desk.served() as receiver:
        assert await send(receiver, payload(FIRING), token=token) == 401
    assert (desk.asked, desk.woken, desk.count("unauthorized")) == ([], [], 1)


@pytest.mark.asyncio
async def test_the_token_can_be_exchanged_while_it_runs(desk: Desk):
    async with desk.served() as receiver:
        desk.token.write_text("another")
        assert await send(receiver, payload(FIRING)) == 401
        assert await send(receiver, payload(FIRING), token="another") == 200
        desk.token.unlink()
        assert await send(receiver, payload(FIRING), token="another") == 503


@pytest.mark.asyncio
@pytest.mark.parametrize("text", ["", "  \n", "x" * 5000])
async def test_without_a_usable_token_it_does_not_begin(desk: Desk, text: str):
    desk.token.write_text(text)
    with pytest.raises(TokenError, match="must hold one token"):
        async with desk.served():
            pass


@pytest.mark.asyncio
async def test_an_operator_that_stands_by_lets_alertmanager_try_again(desk: Desk):
    desk.leads = False
    async with desk.served() as receiver:
        assert await send(receiver, payload(FIRING)) == 503
    assert desk.woken == []


@pytest.mark.asyncio
async def test_a_body_beyond_the_limit_is_not_read(desk: Desk):
    async with desk.served() as receiver:
        assert await send(receiver, io.BytesIO(b"x" * (MAX_BODY + 1))) == 413
        assert await send(receiver, b"{}", method="GET") == 405
        assert await send(receiver, b"{}", path="/other") == 404
    assert desk.asked == []


@pytest.mark.asyncio
async def test_a_flood_wakes_a_rollout_once_at_once_and_once_afterwards(desk: Desk):
    # Given a rollout that an alert has woken
    begun_at = time.monotonic()
    async with desk.served() as receiver:
        assert await send(receiver, payload(FIRING)) == 200
        assert desk.woken == ["u1"]

        # When many more are about it
        for _ in range(19):
            last_at = time.monotonic()
            assert await send(receiver, payload(FIRING)) == 200
        await asyncio.sleep(LEAST_SECONDS * 1.5)

    # Then it is woken for the last of them too, and no more often than once in the least time
    assert desk.woken_at[-1] >= last_at
    assert len(desk.woken) <= 2 + (desk.woken_at[-1] - begun_at) // LEAST_SECONDS
    assert all(later - sooner >= LEAST_SECONDS * 0.9 for sooner, later in pairwise(desk.woken_at))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not an object"),
        (b"{}", 'version must be "4"'),
        (payload(FIRING, version="5"), 'version must be "4"'),
        (payload(FIRING, version=4), 'version must be "4"'),
        (payload(alerts=None), "alerts must be a list"),
        (payload(*[FIRING] * (MAX_ALERTS + 1)), f"at most {MAX_ALERTS}"),
        (payload("firing"), r"alerts\[0\].status must be"),
        (payload(FIRING, {**FIRING, "status": "pending"}), r"alerts\[1\].status must be"),
        (payload({"status": "firing"}), r"alerts\[0\].labels must be an object"),
        (payload({"status": "firing", "labels": {"a": 1}}), r"alerts\[0\].labels must be texts"),
        (payload({"status": "firing", "labels": {str(n): "" for n in range(MAX_LABELS + 1)}}), f"at most {MAX_LABELS}"),
    ],
)
def test_what_is_no_notification_is_refused_with_the_reason(body: bytes, why: str):
    with pytest.raises(PayloadError, match=why):
        parse_notices(body)


@pytest.mark.parametrize(
    ("header", "fits"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer {TOKEN} ", True),
        (f"Basic {TOKEN}", False),
        (TOKEN, False),
        ("Bearer ", False),
        ("Bearer \udcff", False),
        ("", False),
    ],
)
def test_only_a_bearer_token_is_taken(header: str, fits: bool):
    assert authorized(header, TOKEN.encode()) is fits


def test_the_directory_knows_whom_an_alert_is_about():
    directory = Directory()
    for name, alerts in (("gateway", {}), ("tools", {"matchLabels": {"team": "authz"}}), ("odd", "no mapping")):
        metadata = {"namespace": "shop", "name": name, "uid": name, "resourceVersion": "1"}
        directory.put(RolloutObject({"metadata": metadata, "spec": {"criteria": {"alerts": alerts}}}))
    assert directory.concerned([{"sark_rollout": "shop/gateway"}]) == ("gateway",)
    assert directory.concerned([{"team": "authz"}]) == ("tools",)
    assert directory.concerned([{"sark_rollout": "shop/odd", "team": "authz"}]) == ("tools", "odd")
    assert directory.concerned([]) == ()


@pytest.mark.parametrize("common", [1000, 500], ids=["all are about all", "none is about any"])
def test_a_thousand_alerts_are_held_against_a_thousand_rollouts_in_no_time(common: int):
    # Given rollouts that ask for two labels, and alerts of which each carries one of these at least
    directory = Directory()
    for number in range(1000):
        metadata = {"namespace": "shop", "name": f"r{number}", "uid": f"u{number}", "resourceVersion": "1"}
        alerts = {"matchLabels": {"team": "authz", "env": "prod"}}
        directory.put(RolloutObject({"metadata": metadata, "spec": {"criteria": {"alerts": alerts}}}))
    alerts = [
        {
            "alertname": f"a{number}",
            "team": "authz" if number < common else "x",
            "env": "prod" if number >= 1000 - common else "y",
        }
        for number in range(MAX_ALERTS)
    ]

    # When they come, then the event loop is held up for a moment
    begun = time.thread_time()
    assert len(directory.concerned(alerts)) == (1000 if common == MAX_ALERTS else 0)
    assert time.thread_time() - begun < 0.15
