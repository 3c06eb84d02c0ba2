"""The connections of kopf's watches, on which no answer of the API server ends a watch.

kopf tries again what was forbidden, and ends its watches of all namespaces where one is answered with 401 or 404: by an API
server that cannot look a token up, one that does not serve the CRD just then, or a proxy that knows no such namespace. So it
does where it is shown the page of a proxy under repair. The process would end with them, as often as it begins. Which namespace
cannot be served, and why, is told by `rights`.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final, cast

import aiohttp
import kopf
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException

from sark_operator.shell.connection import kopf_credentials, watch_tls
from sark_operator.shell.watch_events import Breaks, Events

_JSON: Final = "application/json"
_TRIED_AGAIN: Final = frozenset({403, 429})
"""Refusals that kopf itself takes for what may pass."""


def watch_session(configuration: Configuration, failed: Callable[[], None]) -> kopf.AiohttpSession:
    """Return connections to the server of `configuration`, as the same user as our own calls.

    `failed` is called for each watch that breaks off in the middle.
    """
    breaks = Breaks(failed)

    async def asked(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        """Send with the token as it is by now: kopf would take a new one only for what is refused with 401."""
        try:
            request.headers.update(kopf_credentials(configuration).as_http_headers())
        except (ConfigException, OSError) as error:
            raise aiohttp.ClientConnectionError(f"there is no token: {error}") from error
        answer = await send(request)
        if request.url.query.get("watch") != "true":
            return _lasting(answer)
        if answer.status == HTTPStatus.GONE:
            answer.status = HTTPStatus.OK  # what it says instead of events is taken for the end of the stream
        answer.content = cast("aiohttp.StreamReader", Events(answer.content, request.url.path, breaks))
        return _lasting(answer)

    connector = aiohttp.TCPConnector(limit=0, ssl=watch_tls(configuration))
    session = aiohttp.ClientSession(connector=connector, middlewares=(asked,))
    return kopf.AiohttpSession(server=str(configuration.host), aiohttp_session=session)


def _lasting(answer: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
    """Return the answer; one that would end a watch is raised as what kopf takes for a broken connection, and tries again."""
    if not (problem := _problem(answer)):
        return answer
    answer.close()
    raise aiohttp.ClientConnectionError(problem)


def _problem(answer: aiohttp.ClientResponse) -> str:
    """Return for what in an answer kopf would end its watches; empty where it would not."""
    if answer.ok:
        return "" if answer.content_type == _JSON else f"answered with {answer.content_type[:64]} in place of JSON"
    is_refused = answer.status < HTTPStatus.INTERNAL_SERVER_ERROR and answer.status not in _TRIED_AGAIN
    return f"refused with HTTP {answer.status} {answer.reason}" if is_refused else ""
