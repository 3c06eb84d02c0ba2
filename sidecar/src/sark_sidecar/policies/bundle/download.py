"""One request to a bundle server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from yarl import URL

from sark_sidecar.bearer import TokenError, read_token
from sark_sidecar.policies.sources import PolicySourceError
from sark_sidecar.reading import AnswerTooLarge, read_at_most
from sark_sidecar.settings import BundleSettings

_MAX_REDIRECTS = 5
_LONG_POLLING_TYPE = "application/vnd.openpolicyagent.bundles"
_OK = 200
_NOT_MODIFIED = 304
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class BundleServerError(PolicySourceError):
    """The server answered with neither a bundle nor `not modified`."""

    def __init__(self, status: int) -> None:
        """Keep the status."""
        super().__init__(f"the bundle server answered {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Download:
    """What the server answered."""

    raw: bytes | None
    """The bundle; None when it has none newer than the one named by its ETag."""
    etag: str
    waits: bool
    """Whether the server can hold a request back until there is news."""


async def download(settings: BundleSettings, url: str, *, etag: str, wait: int | None) -> Download:
    """Ask for the bundle at `url`, unless it is still the one with `etag`; let the server wait `wait` seconds for news.

    Raises:
        BundleServerError: it answered with another status.
        PolicySourceError: it did not answer in time, or with too much; the token or the authorities cannot be read.
    """
    headers = {"Prefer": "modes=snapshot" + (f";wait={wait}" if wait else ""), "Accept-Encoding": "identity"}
    if etag:
        headers["If-None-Match"] = etag
    if settings.token_file is not None:
        headers["Authorization"] = f"Bearer {await asyncio.to_thread(_token, settings)}"
    verification = await asyncio.to_thread(_verification, settings)
    limit = settings.timeout + (wait or 0)
    # A connection of its own each time: requests are rare, and keys and authorities may have been replaced meanwhile.
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=verification, limit=1, force_close=True),
        timeout=aiohttp.ClientTimeout(total=limit, sock_connect=settings.timeout),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )
    try:
        async with asyncio.timeout(limit), session, _followed(session, URL(url), headers) as reply:
            return await _read(settings, etag, reply)
    except TimeoutError as error:
        raise PolicySourceError(f"the bundle server did not answer within {limit:g} s") from error
    except AnswerTooLarge as error:
        raise PolicySourceError(f"the bundle: {error}; raise policies.bundle.max_compressed_bytes if it must") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        if isinstance(error, PolicySourceError):
            raise
        raise PolicySourceError(f"the bundle server cannot be reached: {error}") from error


@asynccontextmanager
async def _followed(session: aiohttp.ClientSession, url: URL, headers: dict[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
    """Ask, and follow redirects: never from https to http, also for one hop, and with the token to the first origin only."""
    for _ in range(_MAX_REDIRECTS + 1):
        async with session.get(url, headers=headers, allow_redirects=False) as reply:
            if reply.status not in _REDIRECTS or not (location := reply.headers.get("Location")):
                yield reply
                return
            target = url.join(URL(location))
        if target.scheme not in {"https", "http"}:
            raise PolicySourceError("the bundle server redirects to what is neither https nor http")
        if url.scheme == "https" and target.scheme != "https":
            raise PolicySourceError("the bundle server redirects from https to http")
        if target.origin() != url.origin():
            headers = {name: value for name, value in headers.items() if name != "Authorization"}
        url = target
    raise PolicySourceError(f"the bundle server redirects more than {_MAX_REDIRECTS} times")


async def _read(settings: BundleSettings, etag: str, reply: aiohttp.ClientResponse) -> Download:
    if reply.status == _NOT_MODIFIED and etag:
        return Download(None, etag, waits=True)
    if reply.status != _OK:
        raise BundleServerError(reply.status)
    raw = await read_at_most(reply, settings.max_compressed_bytes)
    if not raw:
        raise PolicySourceError("the bundle server answered with nothing")
    return Download(raw, reply.headers.get("ETag", ""), waits=reply.headers.get("Content-Type", "") == _LONG_POLLING_TYPE)


def _token(settings: BundleSettings) -> str:
    path = settings.token_file
    assert path is not None  # noqa: S101 - who calls this has looked
    try:
        return read_token(path)
    except TokenError as error:
        raise PolicySourceError(f"policies.bundle.token_file {error}") from error


def _verification(settings: BundleSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise PolicySourceError(f"policies.bundle.ca_file {settings.ca_file}: {error}") from error
