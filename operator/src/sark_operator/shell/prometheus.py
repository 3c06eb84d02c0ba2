"""The one door to Prometheus: `prometheus-api-client` behind explicit limits.

The library is synchronous, has no deadline unless given one, retries by itself, and drops the warnings by which a server says
that its answer is partial. So each question runs in a small pool of its own, in a session that enforces a deadline on the whole
answer and a limit on its size, follows no redirect, and keeps the raw answer so that warnings are seen.

An answer about a thousand rollouts is megabytes, and many times that while it is read. So it is read in the thread that fetched
it, series by series, and one answer at a time.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Protocol

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util.retry import Retry

from sark_api import reasons
from sark_operator.core.observation import Missing
from sark_operator.shell.byte_budget import HELD_SECONDS
from sark_operator.shell.call import Call, CallAdapter
from sark_operator.shell.credential_files import AccessError
from sark_operator.shell.intake import Intake, Premises
from sark_operator.shell.origin import origin
from sark_operator.shell.precedence import Precedence
from sark_operator.shell.prometheus_access import ACCESS, OPEN, Access
from sark_operator.shell.rooms import MOST_ROOMS, PLACES, SIGNS, Claim, Place, Rooms
from sark_operator.shell.series import MAX_SAID, Series, SeriesError, TooMuchError, said
from sark_operator.shell.telemetry import Telemetry

MAX_ANSWER_BYTES = 32 * 1024 * 1024
WORKERS = (PLACES + SIGNS) * MOST_ROOMS
"""Questions under way at once: one for each place in each room. A thread is started only when it is needed."""
_CHUNK = 64 * 1024
_MAX_QUOTE = 300
_GRACE_SECONDS = 1.0
_TOLD_SECONDS = 0.5
"""How long a question that was late has waited at least for others if that is told."""

UNREACHABLE: Final = reasons.METRICS_UNREACHABLE.name
TIMEOUT: Final = reasons.METRICS_TIMEOUT.name
REFUSED: Final = reasons.METRICS_QUERY_REFUSED.name
PARTIAL: Final = reasons.METRICS_PARTIAL.name
INVALID: Final = reasons.METRICS_INVALID.name


@dataclass(frozen=True, slots=True)
class Server:
    """Which Prometheus, and how long one question may take."""

    address: str
    timeout: float
    """Seconds."""
    access: Access = OPEN
    """Credentials, authorities and tenant."""

    @property
    def shown(self) -> str:
        """The address without user name and password, for messages."""
        return re.sub(r"//[^/]*@", "//", self.address)  # not urlsplit: this must work for what is not a URL, too


Read = Callable[[Any], Any]
"""What is made of `data.result`; called in another thread, so it must touch nothing but its argument."""


def as_it_is(result: Any) -> Any:
    """Return `data.result` as the server gave it, in a list."""
    return list(result)


class Door(Protocol):
    """Who answers PromQL. Whatever goes wrong is a `Missing` with one sentence; nothing is raised but what `read` raises.

    Where there are more answers than can be read, they are in the order of `precedence`.
    """

    async def instant(
        self,
        server: Server,
        query: str,
        *,
        read: Read = as_it_is,
        precedence: Precedence = Precedence.AWAITED,
        claim: Claim | None = None,
    ) -> Any | Missing:
        """Return what `read` makes of `data.result` of an instant query at the present.

        `claim` says whose own question it is; None for one that is about all rollouts.
        """
        ...

    async def over(
        self,
        server: Server,
        query: str,
        start: datetime,
        end: datetime,
        step: int,
        *,
        read: Read = as_it_is,
        precedence: Precedence = Precedence.AWAITED,
        claim: Claim | None = None,
    ) -> Any | Missing:
        """Return what `read` makes of `data.result` of a range query; `step` is in seconds."""
        ...

    def close(self) -> None:
        """Ask nothing more."""
        ...


class PrometheusDoor:
    """Asks PromQL. Whatever goes wrong is a `Missing` with one sentence; nothing is raised but what `read` raises."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="prometheus")
        self._rooms = Rooms()
        self._premises = Premises()

    async def instant(
        self,
        server: Server,
        query: str,
        at: datetime | None = None,
        *,
        read: Read = as_it_is,
        precedence: Precedence = Precedence.AWAITED,
        claim: Claim | None = None,
    ) -> Any | Missing:
        """Return what `read` makes of `data.result` of an instant query at the server's own present, or at `at`."""

        def ask(connect: PrometheusConnect) -> Any:
            params = {"timeout": f"{server.timeout:g}s"} | ({"time": str(at.timestamp())} if at else {})
            return connect.custom_query(query, params=params)

        return await self._run(server, _Errand(ask, read, precedence, claim))

    async def over(
        self,
        server: Server,
        query: str,
        start: datetime,
        end: datetime,
        step: int,
        *,
        read: Read = as_it_is,
        precedence: Precedence = Precedence.AWAITED,
        claim: Claim | None = None,
    ) -> Any | Missing:
        """Return what `read` makes of `data.result` of a range query; `step` is in seconds."""

        def ask(connect: PrometheusConnect) -> Any:
            params = {"timeout": f"{server.timeout:g}s"}
            return connect.custom_query_range(query, start_time=start, end_time=end, step=str(step), params=params)

        return await self._run(server, _Errand(ask, read, precedence, claim))

    def close(self) -> None:
        """Give up the threads; questions under way end by their own deadlines."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, server: Server, errand: _Errand) -> Any | Missing:
        started = time.monotonic()
        room, asked_at = self._rooms.of(server.address), None
        try:
            async with asyncio.timeout(server.timeout + _GRACE_SECONDS):
                place = await room.enter(errand.claim, sign=errand.precedence is Precedence.SIGN)
                asked_at = time.monotonic()
                answer = await self._asked(server, errand, place)
        except TimeoutError:
            answer = _late(server, asked_at - started) if asked_at is not None else _crowded(server, errand)
        except Exception:
            self._telemetry.query(INVALID, time.monotonic() - started)
            raise
        self._telemetry.query(answer.reason if isinstance(answer, Missing) else "ok", time.monotonic() - started)
        return answer

    async def _asked(self, server: Server, errand: _Errand, place: Place) -> Any | Missing:
        """Ask in a thread. The server's room is left when the thread is free again, which is soon when the caller gives up."""
        call, loop = Call(), asyncio.get_running_loop()
        future = loop.run_in_executor(self._pool, _ask, server, errand, call, self._premises)
        future.add_done_callback(lambda done: place.leave(answered=_is_answered(done)))
        try:
            return await asyncio.shield(future)
        finally:
            call.end()


def _is_answered(done: asyncio.Future[Any]) -> bool:
    """Return whether the server could be reached; of a failure this also sees to it that nobody need be waiting for it."""
    if done.cancelled() or done.exception():
        return False
    answer = done.result()
    return not (isinstance(answer, Missing) and answer.reason in (TIMEOUT, UNREACHABLE))


@dataclass(frozen=True, slots=True)
class _Errand:
    """What a thread is sent for."""

    ask: Callable[[PrometheusConnect], Any]
    read: Read
    precedence: Precedence
    claim: Claim | None = None
    """Whose own question it is; None for one about all rollouts."""


def _ask(server: Server, errand: _Errand, call: Call, premises: Premises) -> Any | Missing:
    deadline = time.monotonic() + server.timeout
    intake = Intake(premises, origin(server.address), deadline, errand.precedence, call.end)
    with _BoundedSession(call, intake, deadline) as session:
        try:
            session.secrets = server.access.apply(session)
        except AccessError as error:
            return Missing(ACCESS, f"Prometheus at {server.shown} was not asked: {error}")
        result = _answered(server, session, errand.ask)
        try:
            return result if isinstance(result, Missing) else errand.read(result)
        except SeriesError:
            return _foreign(server, session)


def _answered(server: Server, session: _BoundedSession, ask: Callable[[PrometheusConnect], Any]) -> Any | Missing:
    try:
        # A session for each question: no connection is reused after it went stale, and none is shared between threads.
        connect = PrometheusConnect(url=server.address.rstrip("/"), session=session, timeout=server.timeout)
        result = ask(connect)
    except PrometheusApiClientException:
        return _refused(server, session)
    except _NoRoomError as error:
        return Missing(TIMEOUT, f"Prometheus at {server.shown} answered, and {error}")
    except _NoTimeError as error:
        return Missing(TIMEOUT, f"Prometheus at {server.shown} answered, and was not read within {server.timeout:g} s: {error}")
    except (OSError, _TooLongError, TooMuchError) as error:
        return _unreachable(server, error)
    except (ValueError, KeyError, TypeError, RecursionError):
        return _foreign(server, session)
    return _whole(server, session, result)


def _whole(server: Server, session: _BoundedSession, result: Series) -> Series | Missing:
    """Return the answer, unless the server says that it is none, or not all of it."""
    if result.status != "success":
        quoted = session.quoted(said(session.body)[1] or "no error is named")
        return Missing(INVALID, f"Prometheus at {server.shown} answered without success: {quoted}")
    if result.is_partial:
        return Missing(PARTIAL, f"Prometheus at {server.shown} says that its answer is partial (isPartial)")
    if result.warnings:
        quoted = session.quoted("; ".join(result.warnings))
        return Missing(PARTIAL, f"Prometheus at {server.shown} warns that its answer may be incomplete: {quoted}")
    return result


class _TooLongError(Exception):
    """The answer is larger than the limit."""


class _NoRoomError(Exception):
    """Answers that are on their way have left no memory for this one; the text says so."""


class _NoTimeError(Exception):
    """Other answers have left no time to read this one; the text says which."""


class _BoundedSession(requests.Session):
    """A session for one question, with a deadline for the whole answer and a limit on its size."""

    def __init__(self, call: Call, intake: Intake, deadline: float) -> None:
        super().__init__()
        self._call, self._intake, self._deadline = call, intake, deadline
        self._adapter = CallAdapter(call, max_retries=Retry(total=0, read=False))
        self.trust_env = False  # neither proxies nor a .netrc: a user's address must not be sent the operator's credentials
        self.headers["User-Agent"] = "sark-operator"
        self.status = 0
        self.body = b""
        self.secrets: tuple[str, ...] = ()
        """What may stand in no text, should the server repeat it."""

    def close(self) -> None:
        """Let the next answer be read."""
        super().close()
        self._call.forget()
        self.body = b""
        self._intake.close()

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send `request`, and read the answer while time and room are left."""
        options["stream"] = True
        response = super().send(request, **options)
        if not self._intake.begin():
            response.close()
            raise _NoTimeError("other answers of it were still coming")
        try:
            body = self._read(response)
        except ReadTimeoutError as error:
            raise requests.ReadTimeout from error
        except HTTPError as error:
            self._insist_on_room()
            raise requests.ConnectionError(error) from error
        finally:
            response.close()
            self._call.forget()
        self._insist_on_room()
        if not self._intake.read() or self._call.is_over:  # nobody waits for it any more
            raise _NoTimeError("other answers were read before it")
        response._content = self.body = body  # noqa: SLF001 - what requests itself does when it reads an answer whole
        response.json = self._document  # type: ignore[method-assign] # what the library takes the series from
        self.status = response.status_code
        return response

    def get_adapter(self, url: str | bytes, proxies: Any = None) -> CallAdapter:  # noqa: ARG002 - as requests calls it
        """Return the call's own adapter whatever the address: one that is mounted goes by how an address is spelt."""
        return self._adapter

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Refuse a redirect before requests reads its body, which it would do whole and without limit."""
        if resp.is_redirect:
            resp.close()
            raise requests.TooManyRedirects

    def _read(self, response: requests.Response) -> bytes:
        """Return the body; it is looked at whenever something has come, so that one byte a second does not last for ever.

        Of an error so much is read as may be quoted from.
        """
        body = bytearray()
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            if not self._intake.keep(len(chunk)):
                self._insist_on_room()
                raise _NoRoomError("other answers left no memory to take it in")
            body += chunk
            if response.status_code != HTTPStatus.OK and len(body) >= MAX_SAID:
                break
            if len(body) > MAX_ANSWER_BYTES:
                raise _TooLongError
            if time.monotonic() > self._deadline:
                raise requests.ReadTimeout
        return bytes(body)

    def _insist_on_room(self) -> None:
        """Raise `_NoRoomError` where the connection was ended for the sake of others: the server has not cut it off."""
        if self._intake.is_ended:
            raise _NoRoomError(f"came too slowly: after {HELD_SECONDS:g} s other answers needed the memory")

    def _document(self, **_: Any) -> Any:
        """Return what the library reads of an answer. Raises `SeriesError`."""
        return {"data": {"result": Series.of(self.body)}}

    def quoted(self, text: str) -> str:
        """Return what the server said in a form for messages: one short line, without secrets of ours."""
        for secret in self.secrets:
            text = text.replace(secret, "[secret]")
        return " ".join(text.split())[:_MAX_QUOTE]


def _refused(server: Server, session: _BoundedSession) -> Missing:
    error = said(session.body)[1]
    quoted = session.quoted(error) if error else ""
    if error and session.status in (400, 422):
        return Missing(REFUSED, f"Prometheus at {server.shown} refused the query: {quoted}")
    if session.status in (401, 403):
        known = server.access.has_credentials
        what = "refuses the credentials it is given" if known else "asks for credentials, and none are known for this address"
        mend = "check the files named in" if known else "whoever runs the operator can name them in"
        return Missing(ACCESS, f"Prometheus at {server.shown} {what} (HTTP {session.status}): {mend} --prometheus-config")
    tail = f": {quoted}" if quoted else "; is this the address of a Prometheus?"
    return Missing(UNREACHABLE, f"Prometheus at {server.shown} answered with HTTP {session.status}{tail}")


def _unreachable(server: Server, error: OSError | _TooLongError | TooMuchError) -> Missing:
    if isinstance(error, TooMuchError):
        return Missing(INVALID, f"Prometheus at {server.shown} sent more series or points than are read; narrow the query")
    if isinstance(error, _TooLongError):
        limit = MAX_ANSWER_BYTES // 1024 // 1024
        return Missing(INVALID, f"Prometheus at {server.shown} sent more than {limit} MiB; narrow the query")
    if isinstance(error, requests.Timeout):
        return _late(server)
    if isinstance(error, requests.TooManyRedirects):
        return Missing(UNREACHABLE, f"Prometheus at {server.shown} redirects, which is not followed; give its final address")
    if isinstance(error, requests.exceptions.JSONDecodeError):
        return Missing(INVALID, f"Prometheus at {server.shown} did not answer in JSON; is this the address of a Prometheus?")
    return Missing(UNREACHABLE, f"Prometheus at {server.shown} cannot be reached: {_cause(error)}")


def _foreign(server: Server, session: _BoundedSession) -> Missing:
    if not session.status:
        return Missing(UNREACHABLE, f"Prometheus at {server.shown} cannot be reached: the address is not a URL")
    what = "in JSON" if said(session.body)[0] is None else "in the form of its query API"
    return Missing(INVALID, f"Prometheus at {server.shown} did not answer {what}; is this the address of a Prometheus?")


def _late(server: Server, waited: float = 0.0) -> Missing:
    """Return that no answer came; the question was sent after it had `waited` for so many seconds."""
    after = (
        f", of which {waited:.1f} s passed before it was asked: other questions were under way"
        if waited >= _TOLD_SECONDS
        else ""
    )
    return Missing(TIMEOUT, f"Prometheus at {server.shown} did not answer within {server.timeout:g} s{after}")


def _crowded(server: Server, errand: _Errand) -> Missing:
    claim = errand.claim
    limit = f"{PLACES}" if errand.precedence is not Precedence.SIGN else f"{PLACES}, and {SIGNS} for signs of a breach"
    if claim is not None:
        one, kind = f"{claim.kind.of_one} that rollouts of namespace {claim.namespace} ask", claim.kind
        limit = f"{one} for themselves, or {kind.places} in all namespaces"
    return Missing(
        TIMEOUT,
        f"Prometheus at {server.shown} was not asked within {server.timeout:g} s: as many questions are under way there as may "
        f"be ({limit})",
    )


def _cause(error: BaseException) -> str:
    """Return the operating system's words for a failed connection; they hold no credentials, which a URL may."""
    seen: BaseException | None = error
    for _ in range(10):
        if isinstance(seen, OSError) and seen.strerror and not isinstance(seen, requests.RequestException):
            return seen.strerror.lower()
        reason = getattr(seen, "reason", None) or (seen.args[0] if seen is not None and seen.args else None)
        seen = reason if isinstance(reason, BaseException) else (seen.__cause__ or seen.__context__ if seen else None)
        if seen is None:
            break
    names = {"SSLError": "the TLS handshake failed", "InvalidURL": "the address is not a URL"}
    return names.get(type(error).__name__, type(error).__name__)
