"""What a real browser does while the page's stream cannot be opened: no operator is needed for that."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from starlette.types import ASGIApp

from sark_operator.page.app import Entry
from sark_operator.page.app import Page as Application
from sark_operator.page.rollouts import Found
from sark_operator.page.server import PageThread
from sark_operator.page.streams import Streams
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.settings import Address

pytestmark = pytest.mark.timeout(240)
PATIENCE = 30_000
STREAM = "**/rollouts/stream*"
LOST = "connection lost, trying again"
TOKEN = secrets.token_hex(16)


class Nothing:
    """A cluster without rollouts."""

    async def all(self) -> Found:
        return Found((), ())


@asynccontextmanager
async def empty(streams: Streams) -> AsyncIterator[ASGIApp]:
    doors: Any = Nothing()
    yield Application(Entry(TOKEN.encode), doors, doors, SystemClock(), streams).app()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A browser that is let in by an operator's page, which is not opened yet."""
    with PageThread(Address("127.0.0.1", 0), empty) as thread:
        context = browser.new_context(
            base_url=f"http://127.0.0.1:{thread.port}", extra_http_headers={"Authorization": f"Bearer {TOKEN}"}
        )
        context.set_default_timeout(PATIENCE)
        yield context.new_page()
        context.close()


def cut_off(route: Route) -> None:
    route.abort("connectionrefused")


def busy(route: Route) -> None:
    route.fulfill(status=503, content_type="text/plain", body="not now\n")


@pytest.mark.parametrize("failing", [cut_off, busy])
def test_a_stream_that_cannot_be_opened_at_first_is_said_to_be_lost_and_tried_again(
    page: Page, failing: Callable[[Route], None]
):
    # Given a page whose stream cannot be opened, when it is looked at, then that is said
    page.route(STREAM, failing)
    page.goto("/rollouts")
    expect(page.locator("#live")).to_have_text(LOST, timeout=PATIENCE)

    # And when it can be, then the page follows by itself
    page.unroute(STREAM)
    expect(page.locator("#live")).to_have_text("live", timeout=PATIENCE)
    expect(page.locator("#view")).to_contain_text("There are no rollouts here yet.")


def test_who_is_let_in_no_longer_when_the_stream_begins_is_asked_again_who_it_is(page: Page):
    # Given a session that ends between the page and its stream
    opened: list[str] = []
    page.on("request", lambda request: opened.append(request.url) if request.is_navigation_request() else None)
    page.route(STREAM, lambda route: route.fulfill(status=401, content_type="text/plain", body="sign in first\n"), times=1)

    # When the page is looked at, then it is loaded anew, which leads to where one signs in
    page.goto("/rollouts")
    expect(page.locator("#live")).to_have_text("live", timeout=PATIENCE)
    assert len(opened) == 2
