"""Objects of the API server, sent and taken as the JSON documents they are.

The generated methods of the client check their arguments and build a model of each answer. Of a pod three things are wanted,
and a model of it has some hundred fields. With a thousand rollouts that was much of what a request cost, and the methods and
models of the core group alone take 25 MB of memory. So requests use the layer below those methods: the same connections, TLS
and credentials, which are renewed as the client renews them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.client.rest import RESTResponse

JSON: Final = "application/json"
JSON_PATCH: Final = "application/json-patch+json"
APPLY: Final = "application/apply-patch+yaml"
"""Content types. What is sent is JSON with each of them, which is YAML too."""
MAX_LINE_BYTES: Final = 4 << 20
"""Longest line of an answer that goes on. An object of Kubernetes is at most 1.5 MiB, and written as JSON not much more."""
_CREDENTIALS: Final = ["BearerToken"]
"""What the client calls the credentials of a request; it sends none where it has none."""

Query = Mapping[str, str | int | None]
"""A query. What is None is left out."""
Read = Callable[[bytes], Any]
"""Reads the text of an answer. Raises ValueError or TypeError where it is not what was asked for."""
Path = Sequence[str]
"""The parts of a path, taken as they are."""


def document(text: bytes) -> Mapping[str, Any]:
    """Return the object that is an answer's `text`. Raises ValueError for what is no JSON, TypeError for no object."""
    found = msgspec.json.decode(text)
    if not isinstance(found, dict):
        raise TypeError("no JSON object")
    return found


class Documents:
    """The verbs of the API, each one request.

    What is returned was read from the answer by `read`, by default all of it (see `document`).

    Raises:
        ApiException: the server answered with another status than one of success.
        ValueError: the answer cannot be read, or is nested too deeply.
        TypeError: it is no object.
    """

    def __init__(self, client: ApiClient, *, seconds: float) -> None:
        """Send through `client`; a request is given up after so many `seconds`."""
        self._client = client
        self._seconds = seconds

    async def get(self, path: Path, query: Query | None = None, *, read: Read = document) -> Any:
        """Return what is at `path`."""
        return await self._ask("GET", path, query or {}, None, JSON, read=read)

    async def create(self, path: Path, body: object, query: Query) -> Any:
        """Make an object in the collection at `path`, and return it."""
        return await self._ask("POST", path, query, body, JSON, read=document)

    async def replace(self, path: Path, body: object, query: Query, *, read: Read = document) -> Any:
        """Write the object at `path`, and return it."""
        return await self._ask("PUT", path, query, body, JSON, read=read)

    async def patch(self, path: Path, body: object, query: Query, *, kind: str, read: Read = document) -> Any:
        """Change the object at `path` by a patch of this content type, and return it."""
        return await self._ask("PATCH", path, query, body, kind, read=read)

    async def delete(self, path: Path, body: object) -> Any:
        """Delete the object at `path` with these DeleteOptions."""
        return await self._ask("DELETE", path, {}, body, JSON, read=document)

    @asynccontextmanager
    async def lines(self, path: Path, query: Query, *, seconds: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an answer that goes on for up to so many `seconds`, as a watch does, and give its lines as they come.

        Raises:
            TimeoutError: the server has not ended it by then.
            ValueError: a line is longer than `MAX_LINE_BYTES`.
        """
        answer = await self._send("GET", path, query, None, JSON, seconds=seconds)
        try:
            if not _is_success(answer.status):
                raise _refusal(answer, await answer.read())  # type: ignore[no-untyped-call]
            yield _lines(answer.response.content.iter_any())
        finally:
            connection = answer.response.connection
            if connection is not None and connection.transport is not None:
                connection.transport.abort()  # whoever leaves before the end owes nobody a goodbye, and must not wait for one
            answer.response.close()

    async def _ask(self, method: str, path: Path, query: Query, body: object | None, kind: str, *, read: Read) -> Any:
        answer = await self._send(method, path, query, body, kind, seconds=self._seconds)
        text = await answer.read()  # type: ignore[no-untyped-call]
        if not _is_success(answer.status):
            raise _refusal(answer, text)
        try:
            return read(text)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error

    async def _send(
        self, method: str, path: Path, query: Query, body: object | None, kind: str, *, seconds: float
    ) -> RESTResponse:
        client = self._client
        headers: dict[str, Any] = {"Accept": JSON, "Content-Type": kind, **client.default_headers}
        resource = "".join(f"/{quote(part, safe='')}" for part in path)
        await client.update_params_for_auth(headers, [], _CREDENTIALS, resource, method, body)
        asked = urlencode({name: value for name, value in query.items() if value is not None})
        url = f"{client.configuration.host}{resource}{'?' if asked else ''}{asked}"
        return await client.call_api(method, url, header_params=headers, body=body, _request_timeout=seconds)


def _is_success(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004 - HTTP's own numbers


def _refusal(answer: RESTResponse, raw: bytes) -> ApiException:
    return ApiException.from_response(http_resp=answer, body=raw.decode("utf-8", "replace"), data=None)


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    begun = bytearray()
    async for piece in pieces:
        *whole, rest = piece.split(b"\n")
        for line in whole:
            yield bytes(begun + line)
            begun.clear()
        begun += rest
        if len(begun) > MAX_LINE_BYTES:
            raise ValueError(f"a line is longer than {MAX_LINE_BYTES} bytes")
