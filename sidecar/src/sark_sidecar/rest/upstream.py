"""Hands requests on to OPA as they are, over connections of its own: they must not take those of decisions."""

from __future__ import annotations

import asyncio
from typing import Self

import aiohttp
import structlog
from yarl import URL

from sark_sidecar.reading import AnswerTooLarge, read_at_most
from sark_sidecar.settings import OpaSettings

from .answer import RestAnswer, problem
from .request import RestRequest

log = structlog.get_logger()


class Undetermined(Exception):  # noqa: N818 - what is known
    """OPA may have written it, or not."""


class NothingSent(Exception):  # noqa: N818 - what is known
    """OPA was not reached."""


AT_A_TIME = 16
"""Requests under way to OPA; as many wait, and more are refused."""
_SHOWN = ("Content-Type", "Content-Encoding", "Vary", "Location")
_READS = ("GET", "HEAD", "POST")


class OpaUpstream:
    """A client of one OPA server that changes neither requests nor answers."""

    def __init__(self, settings: OpaSettings, *, max_answer_bytes: int) -> None:
        """Open nothing yet."""
        self._timeout = settings.timeout
        self._max_bytes = max_answer_bytes
        self._base = settings.url.rstrip("/")
        self._places = asyncio.Semaphore(AT_A_TIME)
        self._waiting = 0
        self._reads = _session(
            aiohttp.TCPConnector(limit=AT_A_TIME, keepalive_timeout=30, ttl_dns_cache=10), timeout=settings.timeout
        )
        # What goes over a kept connection may meet one that OPA is closing: nobody could say whether it was taken.
        self._changes = _session(
            aiohttp.TCPConnector(limit=AT_A_TIME, force_close=True, ttl_dns_cache=10), _sent_once, timeout=settings.timeout
        )

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close its connections."""
        await self._reads.close()
        await self._changes.close()

    async def forward(self, request: RestRequest) -> RestAnswer:
        """Return OPA's answer, whatever it is; 500 or 503 in OPA's shape when there is none."""
        if request.method not in _READS:
            return problem(405, "invalid_operation", f"method {request.method} is not handed on to OPA")
        if self._waiting >= 2 * AT_A_TIME:
            return problem(503, "internal_error", "too many requests wait for OPA; try again")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout), self._places:
                return await self._ask(self._reads, request)
        except TimeoutError:
            return problem(500, "internal_error", f"OPA did not answer within {self._timeout:g} s")
        except (aiohttp.ClientError, OSError) as error:
            log.warning("OPA cannot be reached", target=request.path, reason=str(error))
            return problem(500, "internal_error", "OPA cannot be reached")
        except AnswerTooLarge as error:
            return problem(500, "internal_error", f"OPA: {error}")
        finally:
            self._waiting -= 1

    async def change(self, request: RestRequest) -> RestAnswer:
        """Return OPA's answer to a write, which is sent once.

        Raises:
            NothingSent: OPA could not be reached.
            Undetermined: it was sent, or may have been, and there is no answer.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._ask(self._changes, request)
        except aiohttp.ClientConnectorError as error:
            raise NothingSent(str(error)) from error
        except TimeoutError as error:
            raise Undetermined(f"OPA did not answer within {self._timeout:g} s") from error
        except (aiohttp.ClientError, OSError, AnswerTooLarge) as error:
            raise Undetermined(f"OPA gave no whole answer: {error}") from error

    async def _ask(self, session: aiohttp.ClientSession, request: RestRequest) -> RestAnswer:
        # Percent-encoding stays the client's: decoded and encoded anew it could name another path.
        url = URL(self._base + request.target, encoded=True)
        # Go's HTTP client and aiohttp agree that a missing Accept-Encoding lets anything come; say what was said.
        headers = {"Accept-Encoding": "identity", **dict(request.headers)}
        body = None if request.method in {"GET", "HEAD"} else request.body
        async with session.request(request.method, url, data=body, headers=headers, allow_redirects=False) as reply:
            raw = await read_at_most(reply, self._max_bytes)
            shown = tuple((name, value) for name in _SHOWN if (value := reply.headers.get(name)) is not None)
            return RestAnswer(reply.status, raw, shown)


def _session(
    connector: aiohttp.TCPConnector, *middlewares: aiohttp.ClientMiddlewareType, timeout: float
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        middlewares=middlewares,
        timeout=aiohttp.ClientTimeout(total=timeout),
        cookie_jar=aiohttp.DummyCookieJar(),
        # The client unpacks what it asked to be packed.
        auto_decompress=False,
        skip_auto_headers=("Accept-Encoding", "Content-Type", "User-Agent"),
    )


async def _sent_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a PUT or DELETE again: the answer to the second would hide what came of the first."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, TimeoutError):
        raise
    except (aiohttp.ClientError, OSError) as error:
        # aiohttp knows no such error, so it hands it on.
        raise Undetermined(f"OPA gave no whole answer: {error}") from error
