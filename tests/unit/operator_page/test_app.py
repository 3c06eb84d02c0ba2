"""The web application: who is let in, what every answer carries, what is refused, and that nothing in it needs inline code."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any, cast

import httpx
import pytest
from starlette.requests import Request

from sark_operator.page import streams
from sark_operator.page.app import MAX_BODY, Entry, Page, TokenUnreadableError
from sark_operator.page.gate import COOKIE, FAILURES, new_session
from sark_operator.page.headers import HEADERS
from sark_operator.page.rollouts import Found, NotThereError, ReadError
from sark_operator.page.streams import Streams
from sark_operator.page.view.curves import Curves, Mismatch
from sark_operator.page.view.listing import row
from sark_operator.page.view.seen import Seen, Unread
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.shared_answers import Coming

TOKEN = "correct horse battery staple"
PATHS = ("/rollouts", "/rollouts/shop/gateway")
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Shop:
    """Rollouts that stand still, and curves of nothing."""

    def __init__(self, rollouts: Sequence[Seen]) -> None:
        self.rollouts = {each.key: each for each in rollouts}
        self.problem = ""
        self.unread: tuple[Unread, ...] = ()
        self.now = datetime(2026, 1, 1, 12, 46, 5, tzinfo=UTC)

    async def one(self, namespace: str, name: str) -> Seen:
        if self.problem:
            raise ReadError(self.problem)
        try:
            return self.rollouts[f"{namespace}/{name}"]
        except KeyError:
            raise NotThereError(f"There is no SarkRollout {namespace}/{name}.") from None

    async def all(self) -> Found:
        if self.problem:
            raise ReadError(self.problem)
        return Found(tuple(row(each, self.now) for each in self.rollouts.values()), (), self.unread)

    async def record(self, *_: object) -> Any:
        raise NotThereError("There is no such record.")

    def of(self, *_: object) -> Coming[Curves]:
        async def drawn() -> Curves:
            return Curves((1.0, 2.0), mismatches=(Mismatch("authz/allow", "allow", 3),), stamp=1)

        return Coming(asyncio.ensure_future(drawn()), 0.0)


@pytest.fixture
def shop(seen: Callable[..., Seen]) -> Shop:
    return Shop([seen("baking")])


def client(shop: Shop, entry: Entry | None = None, peer: str = "10.0.0.9", streams: Streams | None = None) -> httpx.AsyncClient:
    doors: Any = shop
    page = Page(entry or Entry(TOKEN.encode), doors, doors, SystemClock(), streams or Streams())
    transport = httpx.ASGITransport(page.app(), client=(peer, 1), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://page")


def get(shop: Shop, path: str, **options: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        entry, peer = options.pop("entry", None), options.pop("peer", "10.0.0.9")
        async with client(shop, entry, peer) as door:
            return await door.request(options.pop("method", "GET"), path, **options)

    return asyncio.run(ask())


# Who is let in.


@pytest.mark.parametrize("path", [*PATHS, "/rollouts/shop/gateway/decisions/1"])
def test_a_stranger_is_sent_to_sign_in_and_sees_nothing(shop: Shop, path: str):
    answer = get(shop, path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?to=%2Frollouts")
    assert "gateway" not in answer.text


@pytest.mark.parametrize("path", ["/rollouts/stream", "/rollouts/shop/gateway/stream"])
def test_a_stream_is_closed_to_strangers(shop: Shop, path: str):
    assert get(shop, path, headers={"Accept": "text/html, text/event-stream"}).status_code == 401


def test_the_bearer_of_the_token_is_let_in(shop: Shop):
    assert get(shop, "/rollouts", headers=BEARER).status_code == 200
    answer = get(shop, "/rollouts", headers={"Authorization": f"Bearer {TOKEN}x"})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_signing_in_begins_a_session_that_scripts_and_other_sites_cannot_use(shop: Shop):
    async def story() -> None:
        async with client(shop) as door:
            answer = await door.post("/login", data={"token": TOKEN, "to": "/rollouts/shop/gateway"})
            assert (answer.status_code, answer.headers["location"]) == (303, "/rollouts/shop/gateway")
            cookie = answer.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "samesite=strict" in cookie.lower()
            assert TOKEN not in cookie
            assert (await door.get("/rollouts")).status_code == 200
            assert (await door.post("/logout")).headers["location"] == "/login"
            assert (await door.get("/rollouts")).status_code == 303

    asyncio.run(story())


def test_the_cookie_is_for_https_alone_where_there_is_https(shop: Shop):
    answer = get(shop, "/login", method="POST", data={"token": TOKEN}, headers={"X-Forwarded-Proto": "https"})
    assert "secure" in answer.headers["set-cookie"].lower()


def test_a_new_token_ends_all_sessions(shop: Shop):
    current = [TOKEN]

    async def story() -> None:
        async with client(shop, Entry(lambda: bytes(current[0], "ascii"))) as door:
            await door.post("/login", data={"token": TOKEN})
            assert (await door.get("/rollouts")).status_code == 200
            current[0] = "another token altogether"
            assert (await door.get("/rollouts")).status_code == 303

    asyncio.run(story())


@pytest.mark.parametrize("path", [None, "/rollouts/shop/gateway"])
@pytest.mark.asyncio
async def test_a_new_token_ends_streams_too(shop: Shop, monkeypatch: pytest.MonkeyPatch, path: str | None):
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.01)
    current, doors = [TOKEN.encode()], cast("Any", shop)
    made: Any = Page(Entry(lambda: current[0]), doors, doors, SystemClock(), Streams())
    headers = [(b"cookie", f"{COOKIE}={new_session(current[0], time.time())}".encode())]
    place = {"namespace": "shop", "name": "gateway"} if path else {}
    request = Request({"type": "http", "query_string": b"", "path": path or "/", "path_params": place, "headers": headers})
    answer = await (made._rollout_stream(request) if path else made._list_stream(request))
    messages = aiter(answer.body_iterator)
    async with asyncio.timeout(20):
        while not (await anext(messages)).startswith(b"event: problem"):
            pass
        current[0] = b"another token altogether"
        shop.rollouts.clear()
        assert b"no SarkRollout" not in b"".join([each async for each in messages])


def test_a_wrong_token_is_told_so_and_after_some_none_is_looked_at(shop: Shop):
    async def story() -> None:
        async with client(shop) as door:
            for _ in range(FAILURES):
                answer = await door.post("/login", data={"token": "guess"})
                assert COOKIE not in answer.headers.get("set-cookie", "")
            assert answer.status_code == 429
            answer = await door.post("/login", data={"token": TOKEN})
            assert (answer.status_code, "Too many wrong tokens" in answer.text) == (429, True)
            assert (await door.get("/rollouts", headers=BEARER)).status_code == 429

    asyncio.run(story())


def test_who_is_wrong_behind_a_proxy_shuts_out_nobody_else_there(shop: Shop):
    entry = Entry(TOKEN.encode, proxies=[ip_network("10.0.0.0/24")])

    async def story() -> None:
        async with client(shop, entry) as door:
            for _ in range(FAILURES):
                answer = await door.get("/rollouts", headers={"Authorization": "Bearer x", "X-Forwarded-For": "192.0.2.7"})
            assert answer.status_code == 429
            for another in ("192.0.2.8", "192.0.2.7, 192.0.2.8"):
                assert (await door.get("/rollouts", headers={**BEARER, "X-Forwarded-For": another})).status_code == 200
                assert (await door.post("/login", data={"token": "x"}, headers={"X-Forwarded-For": another})).status_code == 401

    asyncio.run(story())


def test_while_the_token_cannot_be_read_nobody_is_let_in(shop: Shop):
    def gone() -> bytes:
        raise TokenUnreadableError

    answer = get(shop, "/rollouts", entry=Entry(gone), headers=BEARER)
    assert answer.status_code == 503
    assert "gateway" not in answer.text


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("10.1.2.3", {"X-Forwarded-User": "ada"}, 200),
        ("10.1.2.3", {}, 403),
        ("10.1.2.3", {"X-Forwarded-User": ""}, 403),
        ("10.9.9.9", {"X-Forwarded-User": "ada"}, 403),
        ("10.9.9.9", {"X-Forwarded-User": "ada", "X-Forwarded-For": "10.1.2.3"}, 403),
    ],
)
def test_a_header_is_believed_from_the_proxy_alone(shop: Shop, peer: str, headers: dict[str, str], status: int):
    entry = Entry(None, "X-Forwarded-User", [ip_network("10.1.0.0/16")])
    answer = get(shop, "/rollouts", entry=entry, peer=peer, headers=headers)
    assert answer.status_code == status
    assert ("gateway" in answer.text) is (status == 200)


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "//evil.example", "/\\evil.example", "/rollouts\\..", "javascript:1", ""]
)
def test_after_signing_in_nobody_is_sent_elsewhere(shop: Shop, to: str):
    answer = get(shop, "/login", method="POST", data={"token": TOKEN, "to": to})
    assert answer.headers["location"] == "/rollouts"


def test_another_sites_form_cannot_sign_anybody_in(shop: Shop):
    answer = get(shop, "/login", method="POST", data={"token": TOKEN}, headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


# What is refused.


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [*PATHS, "/rollouts/stream", "/static/app.css"])
def test_nothing_but_get_is_answered(shop: Shop, method: str, path: str):
    assert get(shop, path, method=method, headers=BEARER).status_code == 405


def test_a_long_form_is_not_read(shop: Shop):
    answer = get(shop, "/login", method="POST", content=b"token=" + b"x" * MAX_BODY)
    assert answer.status_code == 503
    assert "set-cookie" not in answer.headers


def test_a_form_of_many_fields_holds_no_token(shop: Shop):
    answer = get(shop, "/login", method="POST", data={"token": TOKEN} | {f"more{number}": "x" for number in range(20)})
    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)


@pytest.mark.parametrize(
    "path",
    ["/static/../server.py", "/static/%2e%2e/server.py", "/static/vendor/", "/static//etc/passwd", "/static/vendor/SHA256SUMS"],
)
def test_only_the_files_of_the_page_are_served(shop: Shop, path: str):
    assert get(shop, path).status_code == 404


@pytest.mark.parametrize("number", ["0", "-1", "x", "1" * 40, "²"])
def test_a_decision_that_is_not_there_is_said_not_to_be(shop: Shop, number: str):
    assert get(shop, f"/rollouts/shop/gateway/decisions/{number}", headers=BEARER).status_code == 404


def test_what_cannot_be_read_now_is_said_to_be_so(shop: Shop):
    shop.problem = "The API server does not answer."
    answer = get(shop, "/rollouts", headers=BEARER)
    assert (answer.status_code, "The API server does not answer." in answer.text) == (503, True)


def test_a_handler_that_fails_is_a_500_with_the_same_headers(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    async def broken(self: Shop) -> Found:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(Shop, "all", broken)
    answer = get(shop, "/rollouts", headers=BEARER)
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert answer.headers["content-security-policy"]


# What every answer carries.


@pytest.mark.parametrize("path", ["/", "/login", "/static/app.css", "/nothing", *PATHS])
def test_every_answer_has_the_strict_headers(shop: Shop, path: str):
    answer = get(shop, path, headers=BEARER)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert ("no-store" in answer.headers["cache-control"]) is (not path.startswith("/static"))


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere():
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize("name", ["baking", "completed", "fresh", "paused", "reverted", "unknown"])
def test_no_page_holds_inline_code_or_styles_or_names_another_host(seen: Callable[..., Seen], name: str):
    shop = Shop([seen(name)])
    for path in ("/login", "/nothing", *PATHS):
        html = get(shop, path, headers=BEARER).text
        assert re.findall(r"<script(?![^>]* src=)", html) == []
        assert re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", html) == []
        assert re.findall(r'(?:src|href|action)="(?!/|\?|#)', html) == []


def test_what_a_rollout_says_is_text_and_never_markup(seen: Callable[..., Seen]):
    def hostile(body: dict[str, Any]) -> None:
        body["status"]["message"] = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
        body["status"]["criteria"][0]["message"] = "</p><script>alert(2)</script>"

    html = get(Shop([seen("baking", hostile)]), "/rollouts/shop/gateway", headers=BEARER).text
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_files_may_be_kept_for_ever_under_the_address_the_pages_name(shop: Shop):
    html = get(shop, "/login").text
    for href in re.findall(r'(?:src|href)="(/static/[^"]+)"', html):
        answer = get(shop, href)
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)
    assert "immutable" not in get(shop, "/static/app.css?v=old").headers["cache-control"]


# What is shown.


def test_the_page_of_a_rollout_answers_the_questions_of_an_sre(shop: Shop):
    html = get(shop, "/rollouts/shop/gateway", headers=BEARER).text
    for heading in ("Stages", "What happens next", "What would take it back to 0%", "Criteria", "Decisions"):
        assert f">{heading}<" in html
    assert "Baking 25%: 12m of 30m proven" in html
    assert "5% → 25%" in html


def test_a_rollout_that_passes_with_nobody_there_is_not_shown_as_one_that_passes(shop: Shop):
    assert "Careful" not in get(shop, "/rollouts", headers=BEARER).text
    shop.now += timedelta(hours=1)
    assert "is the operator running?" in get(shop, "/rollouts", headers=BEARER).text


def test_an_empty_list_says_what_to_do():
    assert "Apply a SarkRollout" in get(Shop([]), "/rollouts", headers=BEARER).text


@pytest.mark.parametrize("names", [["shop/gateway"], []])
def test_a_list_without_a_namespace_says_which_and_why(shop: Shop, names: list[str]):
    # Given a list of which one namespace was refused, with rollouts of others and without
    shop.rollouts = {name: shop.rollouts[name] for name in names}
    shop.unread = (Unread("billing", "list SarkRollouts of billing: <forbidden>"),)
    # Then it says so, shows the others, and does not call the absence of all others emptiness
    text = get(shop, "/rollouts", headers=BEARER).text
    assert "those of namespace billing cannot be read: list SarkRollouts of billing: &lt;forbidden&gt;" in text
    assert ("/rollouts/shop/gateway" in text) == bool(names)
    assert "no rollouts here yet" not in text


def test_a_stream_sends_the_page_its_curves_and_then_only_what_is_new(shop: Shop, seen: Callable[..., Seen]):
    async def story() -> list[tuple[str, str]]:
        doors: Any = shop
        made: Any = Page(Entry(TOKEN.encode), doors, doors, SystemClock(), Streams())
        looks: list[Any] = []
        made._stream = lambda _, look: looks.append(look)
        scope = {"type": "http", "query_string": b"", "path_params": {"namespace": "shop", "name": "gateway"}, "headers": []}
        await made._rollout_stream(Request(scope))
        [look] = looks
        first = [frame async for frame in look()]
        second = [frame async for frame in look()]
        assert [frame.name for frame in second] == ["", "problem", "curves", "late"]
        assert [frame.mark for frame in first[1:]] == [frame.mark for frame in second[1:]]
        shop.rollouts["shop/gateway"] = seen("reverted", lambda body: body["metadata"].update(resourceVersion="4712"))
        third = [frame async for frame in look()]
        assert third[0].mark != second[0].mark
        assert third[2].mark == second[2].mark
        return [(frame.name, frame.data) for frame in second]

    frames = dict(asyncio.run(story()))
    assert "Stages" in frames[""]
    assert "authz/allow" in frames[""]
    assert json.loads(frames["curves"])["times"] == [1.0, 2.0]
    assert frames["problem"] == ""
    assert frames["late"] == ""
