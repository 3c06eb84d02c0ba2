"""The curves of one viewer: nothing waits for them, and they are said to be old, or missing, when they are."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.request import Request, urlopen

import pytest
from starlette.types import ASGIApp

from sark_operator.page import charts as subject
from sark_operator.page.app import Entry, Page
from sark_operator.page.charts import LATE_SECONDS, Charts
from sark_operator.page.figures import Figures
from sark_operator.page.server import PageThread
from sark_operator.page.streams import Streams
from sark_operator.page.view.curves import Curve, Curves, Line, Mismatch
from sark_operator.page.view.seen import Seen
from sark_operator.page.view.span import Span
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.prometheus_access import PrometheusServers
from sark_operator.shell.settings import Address
from sark_operator.shell.shared_answers import Coming

Read = Callable[..., Seen]
TOKEN = "correct horse battery staple"
DRAWN = Curves(
    (1.0,), (Curve("cpu", "%", (Line("measured", "new", [1.0]),)),), mismatches=(Mismatch("a", "allow", 3),), stamp=1
)


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


class Slow:
    """Curves that come when they are told to."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.ask()

    def ask(self) -> None:
        self.coming: Any = Coming(asyncio.get_running_loop().create_future(), self.clock.monotonic())

    def come(self, curves: Curves) -> None:
        self.coming.task.set_result(curves)

    def of(self, *_: object) -> Coming[Curves]:
        return self.coming


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "PATIENCE_SECONDS", 0.001)


@pytest.fixture
def silent() -> Iterator[int]:
    """Return the port of a Prometheus that takes every question and answers none."""
    with socket.create_server(("127.0.0.1", 0), backlog=32) as server:
        yield int(server.getsockname()[1])


def test_the_status_is_sent_while_prometheus_hangs(seen: Read, silent: int):
    # Given a rollout whose Prometheus takes a minute to fail
    place = {"address": f"http://127.0.0.1:{silent}", "timeout": "60s"}
    rollout = seen("baking", lambda body: body["spec"].update(prometheus=place))

    class Shop:
        async def one(self, *_: str) -> Seen:
            return rollout

    @contextlib.asynccontextmanager
    async def app(streams: Streams) -> AsyncIterator[ASGIApp]:
        shop: Any = Shop()
        clock = SystemClock()
        figures = Figures(clock, PrometheusServers())
        try:
            yield Page(Entry(TOKEN.encode), shop, figures, clock, streams).app()
        finally:
            await figures.close()

    # When somebody looks at it, then they see its state, and that it is there
    with PageThread(Address("127.0.0.1", 0), app) as thread:
        address = f"http://127.0.0.1:{thread.port}/rollouts/shop/gateway/stream"
        with urlopen(Request(address, headers={"Authorization": f"Bearer {TOKEN}"}), timeout=20) as stream:
            lines = iter(stream.readline, b"")
            assert any(b"Baking 25%" in line for line in lines)
            assert next(line for line in lines if line.startswith(b"event: ")) == b"event: problem\n"


@pytest.mark.asyncio
async def test_curves_that_do_not_come_are_said_to_be_missing_and_then_to_be_old(seen: Read):
    clock, rollout = HandClock(), seen("baking")
    slow: Any = Slow(clock)
    charts = Charts(slow, clock, Span.ATTEMPT)

    # Given the first curves, which take their time, then that is said, and no longer when they have come
    charts.follow(rollout)
    assert (await charts.newest(), charts.lateness(), charts.mismatches) == (None, "", ())
    clock.seconds += LATE_SECONDS
    assert charts.lateness() == "Prometheus has not answered yet, so there are no curves."
    slow.come(DRAWN)
    charts.follow(rollout)
    assert (await charts.newest(), charts.lateness(), charts.mismatches) == (DRAWN, "", DRAWN.mismatches)

    # When the next ones take as long, then these stay, and are said to be old
    slow.ask()
    charts.follow(rollout)
    clock.seconds += LATE_SECONDS
    assert await charts.newest() == DRAWN
    assert "the curves are older than the rest of this page" in charts.lateness()

    # And where they could not be drawn either, they say so themselves
    slow.come(Curves(problem="Prometheus did not answer within 5 s."))
    charts.follow(rollout)
    slow.ask()
    charts.follow(rollout)
    clock.seconds += LATE_SECONDS
    assert charts.lateness() == ""


@pytest.mark.asyncio
async def test_another_rollout_of_the_same_name_is_not_shown_with_the_curves_of_the_one_before(seen: Read):
    clock, rollout = HandClock(), seen("baking")
    slow: Any = Slow(clock)
    charts = Charts(slow, clock, Span.ATTEMPT)
    slow.come(DRAWN)
    charts.follow(rollout)
    assert await charts.newest() == DRAWN

    slow.ask()
    charts.follow(replace(rollout, uid="another"))
    assert (await charts.newest(), charts.mismatches) == (Curves(), ())


@pytest.mark.asyncio
async def test_curves_that_take_longer_than_they_are_kept_are_seen_all_the_same(seen: Read, monkeypatch: pytest.MonkeyPatch):
    # Given curves that take an hour, of a rollout that is evaluated once a minute
    clock, rollout, go = HandClock(), seen("baking"), asyncio.Event()

    async def ask(*_: object) -> Curves:
        await go.wait()
        return DRAWN

    monkeypatch.setattr(Figures, "_ask", ask)
    figures = Figures(clock, PrometheusServers())
    charts = Charts(figures, clock, Span.ATTEMPT)
    charts.follow(rollout)
    clock.seconds += 3600
    go.set()
    assert await charts.newest() == DRAWN

    # When somebody else looks, then the curves are there, and asked for anew only a minute later
    other = Charts(figures, clock, Span.ATTEMPT)
    other.follow(rollout)
    assert other.mismatches == DRAWN.mismatches
    go.clear()
    clock.seconds += 61
    other.follow(rollout)
    assert await other.newest() == DRAWN
    clock.seconds += LATE_SECONDS
    assert other.lateness()
    await figures.close()


@pytest.mark.asyncio
async def test_curves_that_cannot_be_reckoned_end_nothing_and_say_so(seen: Read, monkeypatch: pytest.MonkeyPatch):
    async def fail(*_: object) -> Curves:
        raise ZeroDivisionError

    monkeypatch.setattr(Figures, "_ask", fail)
    clock = HandClock()
    figures = Figures(clock, PrometheusServers())
    found = await figures.of(seen("baking"), Span.ATTEMPT)
    assert found.problem == "The curves cannot be drawn: the operator's log says why."
    await figures.close()
