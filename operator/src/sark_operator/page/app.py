"""The web application: who may look, what is shown, and nothing that changes anything.

Every answer has the same strict headers. All requests are GET, apart from those with which a session begins and ends.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from sark_operator.shell.clock import Clock

from . import gate
from .assets import Assets
from .charts import Charts
from .figures import Figures
from .headers import StrictHeaders
from .pages import Pages
from .rollouts import NotThereError, ReadError, Rollouts
from .streams import Frame, Look, NotLetInError, Streams
from .view.listing import MAX_SOUGHT, Listing, listing
from .view.record import record_view
from .view.rollout import view
from .view.seen import Seen
from .view.span import Span, chosen

MAX_BODY: Final = 4096
"""Longest body of a request, in bytes: a form with a token."""
ANSWER_SECONDS: Final = 20.0
"""A page that is not there by then is given up. Streams have an end of their own."""
_MAX_NUMBER: Final = 9
_MAX_FIELDS: Final = 8
_SPANS: Final = ((Span.ATTEMPT, "Attempt"), (Span.STEP, "Step"), (Span.HOUR, "Last hour"))

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Entry:
    """How one gets in."""

    token: Callable[[], bytes] | None = None
    """Returns the token as it is now; raises `TokenUnreadableError` when it cannot be read. None: there is no token."""
    user_header: str = ""
    """Header in which a reverse proxy names who it has let in; empty: there is none."""
    proxies: Sequence[gate.Network] = ()
    """Where a proxy's connections come from, whose header is believed, and what it says of where it was asked from."""


class TokenUnreadableError(Exception):
    """The token cannot be read now."""


class Page:
    """All handlers."""

    def __init__(self, entry: Entry, rollouts: Rollouts, figures: Figures, clock: Clock, streams: Streams) -> None:
        self._entry = entry
        self._rollouts = rollouts
        self._figures = figures
        self._clock = clock
        self._streams = streams
        self._assets = Assets()
        self._pages = Pages(self._assets)
        self._failures = gate.Failures()

    def app(self) -> StrictHeaders:
        """Return the application."""
        routes = [
            Route("/", self._open(self._home)),
            Route("/rollouts", self._closed(self._list)),
            Route("/rollouts/stream", self._closed(self._list_stream)),
            Route("/rollouts/{namespace}/{name}", self._closed(self._rollout)),
            Route("/rollouts/{namespace}/{name}/stream", self._closed(self._rollout_stream)),
            Route("/rollouts/{namespace}/{name}/decisions/{number}", self._closed(self._decision)),
            Route("/static/{name:path}", self._open(self._static)),
        ]
        if self._entry.token is not None:
            routes += [
                Route("/login", self._open(self._login_form)),
                Route("/login", self._open(self._login), methods=["POST"]),
                Route("/logout", self._open(self._logout), methods=["POST"]),
            ]
        return StrictHeaders(Starlette(routes=routes))

    # Who may look.

    def _closed(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            refusal = self._refusal(request)
            return refusal if refusal is not None else await handler(request)

        return self._open(guarded)

    def _open(self, handler: Handler) -> Handler:
        async def bounded(request: Request) -> Response:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await handler(request)
            except NotThereError as error:
                return self._problem(request, "Not found", str(error), 404)
            except ReadError as error:
                return self._problem(request, "Cannot be read now", str(error), 503)
            except TokenUnreadableError:
                return self._problem(request, "Closed", "The token file cannot be read, so nobody is let in.", 503)
            except TimeoutError:
                return self._problem(request, "Took too long", "It was given up. Try again in a moment.", 503)

        return bounded

    def _refusal(self, request: Request) -> Response | None:
        """Return why the request is not let in, or None for one that is."""
        entry = self._entry
        if entry.user_header and request.headers.get(entry.user_header) and gate.comes_from(_peer(request), entry.proxies):
            return None
        if entry.token is None:
            return self._problem(request, "Closed", "This page is open only through its reverse proxy.", 403)
        token = entry.token()
        if gate.is_session(request.cookies.get(gate.COOKIE, ""), token, time.time()):
            return None
        if given := gate.bearer(request.headers.get("authorization", "")):
            source = self._source(request)
            return self._wrong_token(source) if not self._right(given, token, source) else None
        if "text/event-stream" in request.headers.get("accept", ""):
            return PlainTextResponse("sign in first\n", 401)
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse("/login?" + urlencode({"to": back[:512]}), 303)

    def _source(self, request: Request) -> str:
        """Return whose wrong tokens are counted together: behind a proxy that is known they are not all of one."""
        return gate.client(_peer(request), ",".join(request.headers.getlist("x-forwarded-for")), self._entry.proxies)

    def _right(self, given: str, token: bytes, source: str) -> bool:
        """Return whether a token is right; after too many wrong ones none is looked at."""
        now = self._clock.monotonic()
        if self._failures.wait(source, now) > 0:
            return False
        if gate.same(given, token):
            return True
        self._failures.count(source, now)
        return False

    def _wrong_token(self, source: str) -> Response:
        wait = self._failures.wait(source, self._clock.monotonic())
        if wait > 0:
            return PlainTextResponse("too many wrong tokens\n", 429, {"Retry-After": str(int(wait) + 1)})
        return PlainTextResponse("a bearer token is needed\n", 401, {"WWW-Authenticate": "Bearer"})

    async def _login_form(self, request: Request) -> Response:
        return self._html("login.html", to=_back(request.query_params.get("to", "")), problem="")

    async def _login(self, request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return self._problem(request, "Refused", "Sign in from this page's own form.", 403)
        form = _form(await _body(request))
        given, to = form.get("token", [""])[0], _back(form.get("to", [""])[0])
        assert self._entry.token is not None  # noqa: S101 - the route is there only with a token
        token, source = self._entry.token(), self._source(request)
        if not self._right(given, token, source):
            wait = self._failures.wait(source, self._clock.monotonic())
            problem = f"Too many wrong tokens. Try again in {int(wait) + 1} s." if wait > 0 else "That is not the token."
            return self._html("login.html", 429 if wait > 0 else 401, to=to, problem=problem)
        answer = RedirectResponse(to, 303)
        secure = request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
        session = gate.new_session(token, time.time())
        answer.set_cookie(gate.COOKIE, session, gate.SESSION_SECONDS, httponly=True, samesite="strict", secure=secure)
        return answer

    async def _logout(self, _: Request) -> Response:
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(gate.COOKIE, httponly=True, samesite="strict")
        return answer

    # What is shown.

    async def _home(self, _: Request) -> Response:
        return RedirectResponse("/rollouts", 303)

    async def _static(self, request: Request) -> Response:
        asset = self._assets.get(request.path_params["name"])
        if asset is None:
            raise NotThereError("There is no such file.")
        kept = request.query_params.get("v") == asset.digest
        headers = {"Cache-Control": "public, max-age=31536000, immutable" if kept else "no-cache"}
        return Response(asset.body, media_type=asset.kind, headers=headers)

    async def _list(self, request: Request) -> Response:
        sought, number = _asked(request)
        stream = _query("/rollouts/stream", sought, number)
        return self._html("list.html", shown=await self._listing(sought, number), stream=stream)

    async def _list_stream(self, request: Request) -> Response:
        sought, number = _asked(request)
        last: list[Frame] = []

        async def look() -> AsyncGenerator[Frame, None]:
            try:
                shown = await self._listing(sought, number)
            except ReadError as error:
                yield Frame(str(error), "problem", str(error))
                return
            if not last or last[0].mark != shown:
                last[:] = [Frame(shown, "", self._pages.render("_list.html", shown=shown))]
            yield last[0]
            yield _well()

        return self._stream(request, look)

    async def _listing(self, sought: str, number: int) -> Listing:
        found = await self._rollouts.all()
        return listing(found.rows, found.unreadable, sought, number, unread=found.unread, cut=found.cut)

    async def _rollout(self, request: Request) -> Response:
        seen, span = await self._seen(request), chosen(request.query_params.get("span", ""))
        shown = view(seen, self._clock.now())
        return self._html("rollout.html", shown=shown, mismatches=(), span=span, spans=_SPANS)

    async def _rollout_stream(self, request: Request) -> Response:
        span = chosen(request.query_params.get("span", ""))
        charts = Charts(self._figures, self._clock, span)
        last: dict[str, Frame] = {}

        async def look() -> AsyncGenerator[Frame, None]:
            try:
                seen = await self._seen(request)
            except ReadError as error:
                yield Frame(str(error), "problem", str(error))
                return
            charts.follow(seen)
            shown = view(seen, self._clock.now())
            mark = (seen.version, shown.doubts, charts.mismatches)
            if "" not in last or last[""].mark != mark:
                values = {"shown": shown, "mismatches": charts.mismatches, "span": span, "spans": _SPANS}
                last[""] = Frame(mark, "", self._pages.render("_rollout.html", **values))
            yield last[""]
            yield _well()
            curves = await charts.newest()
            if curves is not None and ("curves" not in last or last["curves"].mark != curves.stamp):
                last["curves"] = Frame(curves.stamp, "curves", json.dumps(curves.to_wire(), separators=(",", ":")))
            if "curves" in last:
                yield last["curves"]
            yield Frame(charts.lateness(), "late", charts.lateness())

        return self._stream(request, look)

    async def _decision(self, request: Request) -> Response:
        seen, text = await self._seen(request), request.path_params["number"]
        if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_NUMBER):
            raise NotThereError("Decisions have numbers, from 1.")
        record, kept = await self._rollouts.record(seen, int(text))
        return self._html("decision.html", seen=seen, shown=record_view(record, kept, seen.status.ledger))

    async def _seen(self, request: Request) -> Seen:
        return await self._rollouts.one(request.path_params["namespace"], request.path_params["name"])

    def _stream(self, request: Request, look: Look) -> Response:
        async def guarded() -> AsyncGenerator[Frame, None]:
            self._ask_again(request)
            async with aclosing(look()) as frames:
                async for frame in frames:
                    yield frame

        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._streams.follow(guarded), media_type="text/event-stream", headers=headers)

    def _ask_again(self, request: Request) -> None:
        """Raise `NotLetInError` where the stream's request would not be let in now: the token may have changed since."""
        try:
            refused = self._refusal(request) is not None
        except TokenUnreadableError:
            refused = True
        if refused:
            raise NotLetInError

    def _html(self, template: str, status: int = 200, **values: object) -> Response:
        signed_in = self._entry.token is not None and template != "login.html"
        return HTMLResponse(self._pages.render(template, may_leave=signed_in, **values), status)

    def _problem(self, request: Request, title: str, text: str, status: int) -> Response:
        if "text/html" not in request.headers.get("accept", "text/html"):
            return PlainTextResponse(f"{title}: {text}\n", status)
        return HTMLResponse(self._pages.render("problem.html", may_leave=False, title=title, text=text), status)


def _peer(request: Request) -> str:
    return request.client.host if request.client else ""


def _well() -> Frame:
    """Say that what was wrong is so no longer: sent once, and again only after a problem."""
    return Frame("", "problem", "")


def _asked(request: Request) -> tuple[str, int]:
    page = request.query_params.get("page", "1")
    number = int(page) if page.isascii() and page.isdecimal() and len(page) <= _MAX_NUMBER else 1
    return request.query_params.get("q", "")[:MAX_SOUGHT], number


def _query(path: str, sought: str, number: int) -> str:
    return path + "?" + urlencode({"q": sought, "page": number})


def _back(to: str) -> str:
    """Return where to go after signing in: a path of this page, never another host."""
    return to if to.startswith("/rollouts") and "\\" not in to else "/rollouts"


def _form(body: bytes) -> dict[str, list[str]]:
    """Return the fields of a form; one with more fields than any of ours holds no token."""
    try:
        return parse_qs(body.decode("utf-8", "replace"), max_num_fields=_MAX_FIELDS)
    except ValueError:
        return {}


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise ReadError(f"A form of more than {MAX_BODY} bytes is not read.")
    return body
