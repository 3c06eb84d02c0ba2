"""Objects of the API server, sent and taken as the JSON documents they are.

The generated methods of the client check their arguments and build a model of each answer. Of a pod three things are wanted,
and a model of it has some hundred fields. With a thousand rollouts that was much of what a request cost, and the methods and
models of the core group alone take 25 MB of memory. So requests use the layer below those methods: the same connections, TLS
and credentials, which are renewed as the client renews them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.exceptions import ApiException

JSON: Final = "application/json"
JSON_PATCH: Final = "application/json-patch+json"
APPLY: Final = "application/apply-patch+yaml"
"""Content types. What is sent is JSON with each of them, which is YAML too."""
_CREDENTIALS: Final = ["BearerToken"]
"""What the client calls the credentials of a request; it sends none where it has none."""

Query = Mapping[str, str | int | None]
"""A query. What is None is left out."""
Path = Sequence[str]
"""The parts of a path, taken as they are."""


class Documents:
    """The verbs of the API, each one request.

    Raises:
        ApiException: the server answered with another status than one of success.
        ValueError: the answer is no JSON.
        TypeError: it is no object.
    """

    def __init__(self, client: ApiClient, *, seconds: float) -> None:
        """Send through `client`; a request is given up after so many `seconds`."""
        self._client = client
        self._seconds = seconds

    async def get(self, path: Path, query: Query | None = None) -> Mapping[str, Any]:
        """Return what is at `path`."""
        return await self._ask("GET", path, query or {}, None, JSON)

    async def create(self, path: Path, body: object, query: Query) -> Mapping[str, Any]:
        """Make an object in the collection at `path`, and return it."""
        return await self._ask("POST", path, query, body, JSON)

    async def replace(self, path: Path, body: object, query: Query) -> Mapping[str, Any]:
        """Write the object at `path`, and return it."""
        return await self._ask("PUT", path, query, body, JSON)

    async def patch(self, path: Path, body: object, query: Query, *, kind: str) -> Mapping[str, Any]:
        """Change the object at `path` by a patch of this content type, and return it."""
        return await self._ask("PATCH", path, query, body, kind)

    async def delete(self, path: Path, body: object) -> Mapping[str, Any]:
        """Delete the object at `path` with these DeleteOptions."""
        return await self._ask("DELETE", path, {}, body, JSON)

    async def _ask(self, method: str, path: Path, query: Query, body: object | None, kind: str) -> Mapping[str, Any]:
        client = self._client
        headers: dict[str, Any] = {"Accept": JSON, "Content-Type": kind, **client.default_headers}
        resource = "".join(f"/{quote(part, safe='')}" for part in path)
        await client.update_params_for_auth(headers, [], _CREDENTIALS, resource, method, body)
        asked = urlencode({name: value for name, value in query.items() if value is not None})
        url = f"{client.configuration.host}{resource}{'?' if asked else ''}{asked}"
        answer = await client.call_api(method, url, header_params=headers, body=body, _request_timeout=self._seconds)
        raw = await answer.read()  # type: ignore[no-untyped-call]
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's own numbers
            raise ApiException.from_response(http_resp=answer, body=raw.decode("utf-8", "replace"), data=None)
        try:
            found = msgspec.json.decode(raw)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        if not isinstance(found, dict):
            raise TypeError("no JSON object")
        return found
