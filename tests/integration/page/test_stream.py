"""What a real browser does while the page's stream cannot be opened: no operator is needed for that."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from starlette.types import ASGIApp

from sark_operator.page import streams
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
SIGNED_OUT = "not live: signed out"
TOKEN = secrets.token_hex(16)


class Nothing:
    """A cluster without rollouts."""

    async def all(self) -> Found:
        return Found((), ())


@asynccontextmanager
async def empty(shared: Streams) -> AsyncIterator[ASGIApp]:
    doors: Any = Nothing()
    yield Application(Entry(TOKEN.encode), doors, doors, SystemClock(), shared).app()


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


def test_a_script_that_comes_late_keeps_the_page_from_nothing(page: Page):
    # Given a page one of whose scripts takes longer than the others
    def late(route: Route) -> None:
        time.sleep(1.0)
        route.continue_()

    page.route("**/hx-sse.min.js*", late)

    # When it is looked at, then its stream is opened all the same
    page.goto("/rollouts")
    expect(page.locator("#live")).to_have_text("live", timeout=PATIENCE)


def sign_in_page(route: Route) -> None:
    route.fulfill(status=200, content_type="text/html", body="<h1>Sign in</h1>\ndata: <h1>Sign in</h1>\n\n")


def sent_away(route: Route) -> None:
    route.fulfill(status=302, headers={"Location": "http://127.0.0.1:9/authorize"})


def forbidden(route: Route) -> None:
    route.fulfill(status=403, content_type="text/html", body="<h1>Sign in</h1>")


@pytest.mark.parametrize("answer", [sign_in_page, sent_away, forbidden])
@pytest.mark.parametrize("is_live_before", [False, True])
def test_what_a_proxy_answers_in_place_of_the_stream_is_not_shown_as_the_page(
    page: Page, monkeypatch: pytest.MonkeyPatch, answer: Callable[[Route], None], is_live_before: bool
):
    # Given a page whose proxy takes nobody for signed in any more, from the beginning or when the stream is renewed
    monkeypatch.setattr(streams, "STREAM_SECONDS", 1.0)
    if not is_live_before:
        page.route(STREAM, answer)
    page.goto("/rollouts")
    if is_live_before:
        expect(page.locator("#live")).to_have_text("live", timeout=PATIENCE)
        page.route(STREAM, answer)

    # When the stream is answered by the proxy, then that is said, and how to sign in again; what was seen stays
    expect(page.locator("#live")).to_have_text(SIGNED_OUT, timeout=PATIENCE)
    expect(page.get_by_role("link", name="Reload to sign in again")).to_be_visible()
    expect(page.locator("#view")).to_contain_text("There are no rollouts here yet.")
    expect(page.locator("#view")).not_to_contain_text("Sign in")

    # And when the operator answers again, as after signing in elsewhere, then the page follows by itself
    page.unroute(STREAM)
    expect(page.locator("#live")).to_have_text("live", timeout=PATIENCE)
    expect(page.locator("#trouble")).to_be_hidden()


def test_who_is_let_in_no_longer_when_the_stream_begins_is_asked_again_who_it_is(page: Page):
    # Given a session that ends between the page and its stream
    opened: list[str] = []
    page.on("domcontentloaded", lambda loaded: opened.append(loaded.url))
    page.route(STREAM, lambda route: route.fulfill(status=401, content_type="text/plain", body="sign in first\n"), times=1)

    # When the page is looked at, then it is loaded anew, which leads to where one signs in
    page.goto("/rollouts")
    expect(page.locator("#live")).to_have_text("live", timeout=PATIENCE)
    assert len(opened) == 2
