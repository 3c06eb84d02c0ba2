"""The flag document in a ConfigMap, watched through the API: list once, then follow from that version on.

The list and the watch carry `fieldSelector=metadata.name=...`, so a Role limited to this one name is enough. Each watch is
short (the server ends it after about half a minute) and the next one goes on from the last version seen: a connection that
died without a word is noticed within that time, and nothing is missed in between.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import structlog
from kubernetes.aio.client import ApiClient, CoreV1Api
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import ConfigException

from sark_api.names import FLAGS_KEY
from sark_sidecar.reading import read_at_most
from sark_sidecar.unforeseen import unforeseen

log = structlog.get_logger()
LIST_SECONDS = 10.0
WATCH_SECONDS = 30
GRACE_SECONDS = 10.0
"""How much longer than the server we wait for a watch to end before it counts as dead."""
MAX_BACKOFF_SECONDS = 5.0
MAX_LIST_BYTES = 2_097_152
_GONE = 410


class WatchExpired(Exception):  # noqa: N818 - not an error: list again
    """The version we asked to go on from is no longer kept by the server."""


class WatchBroken(Exception):  # noqa: N818 - a state of the connection
    """The API answered something that is no watch; the message says what."""


_FORESEEN = (
    ApiException,
    ConfigException,  # the token of the service account is empty for as long as it is being renewed
    aiohttp.ClientError,
    TimeoutError,
    OSError,
    ValueError,
    WatchBroken,
)


class FlagConfigMap:
    """Follows one ConfigMap until cancelled, over every kind of break."""

    def __init__(
        self,
        client: ApiClient,
        namespace: str,
        name: str,
        *,
        on_text: Callable[[str], None],
        on_absent: Callable[[str], None],
        on_link: Callable[[bool, str], None],
    ) -> None:
        """Wire the reactions.

        Args:
            client: for the API; the caller closes it.
            namespace: of the ConfigMap.
            name: of the ConfigMap.
            on_text: called with each document.
            on_absent: called with a sentence when there is no such object, or no document in it (as before the first rollout).
            on_link: called with True, or False and the reason, as the watch goes up or down.
        """
        self._api = CoreV1Api(client)
        self._namespace = namespace
        self._name = name
        self._on_text = on_text
        self._on_absent = on_absent
        self._on_link = on_link
        self._failures = 0
        self._told = ""
        """The fault of ours that was logged last."""

    async def run(self) -> None:
        """List and watch, and start again after every failure, whichever it is, with a jittered back-off."""
        while True:
            try:
                await self._follow()
            except WatchExpired:
                self._failures += 1
            except _FORESEEN as error:
                self._fail(_describe(error))
            except Exception as error:  # noqa: BLE001 - a fleet reads the same, and must not end in the same second
                self._fail(self._described(error))
            await asyncio.sleep(backoff(self._failures, random.random()))  # noqa: S311 - spreading load, no secret

    def _fail(self, reason: str) -> None:
        self._failures += 1
        self._on_link(False, reason)  # noqa: FBT003 - up or down is what the callback is about

    def _described(self, fault: Exception) -> str:
        reason = unforeseen(fault)
        if reason != self._told:
            log.error("the flag watch broke", exc_info=fault)
        self._told = reason
        return reason

    async def _follow(self) -> None:
        version = await self._list()
        while True:
            started = asyncio.get_running_loop().time()
            version = await self._watch(version)
            if asyncio.get_running_loop().time() - started < 1.0:
                raise WatchBroken("the API ended the watch at once")
            self._failures = 0

    async def _list(self) -> str:
        async with asyncio.timeout(LIST_SECONDS):
            response = await self._api.list_namespaced_config_map_without_preload_content(
                self._namespace, field_selector=f"metadata.name={self._name}", _request_timeout=LIST_SECONDS
            )
            async with _closing(response) as answer:
                raw = await read_at_most(answer, MAX_LIST_BYTES)
        members = _object(raw)
        items = members.get("items")
        version = _object_member(members, "metadata").get("resourceVersion")
        if not isinstance(items, list) or not isinstance(version, str):
            raise WatchBroken("the API's list of ConfigMaps is not one")
        self._on_link(True, "")  # noqa: FBT003
        if items:
            self._show(items[0])
        else:
            self._on_absent(f"ConfigMap {self._namespace}/{self._name} does not exist")
        return version

    async def _watch(self, version: str) -> str:
        """Follow from `version` until the server ends the watch; return the last version seen."""
        seconds = WATCH_SECONDS + random.randrange(10)  # noqa: S311 - spreading load, no secret
        async with asyncio.timeout(seconds + GRACE_SECONDS):
            response = await self._api.list_namespaced_config_map_without_preload_content(
                self._namespace,
                field_selector=f"metadata.name={self._name}",
                watch=True,
                allow_watch_bookmarks=True,
                resource_version=version,
                timeout_seconds=seconds,
                _request_timeout=seconds + GRACE_SECONDS,
            )
            async with _closing(response) as answer:
                self._on_link(True, "")  # noqa: FBT003
                async for line in answer.content:
                    version = self._event(line) or version
        return version

    def _event(self, line: bytes) -> str:
        """Act on one event; return the version it carries."""
        event = _object(line)
        item = _object_member(event, "object")
        match event.get("type"):
            case "ERROR" if item.get("code") == _GONE:
                raise WatchExpired
            case "ERROR":
                raise WatchBroken(f"the watch was ended with code {item.get('code')}: {item.get('message')}")
            case "ADDED" | "MODIFIED":
                self._failures = 0
                self._show(item)
            case "DELETED":
                self._on_absent(f"ConfigMap {self._namespace}/{self._name} was deleted; the last good document stays in force")
        version = _object_member(item, "metadata").get("resourceVersion")
        return version if isinstance(version, str) else ""

    def _show(self, item: Any) -> None:
        data = item.get("data") if isinstance(item, dict) else None
        text = data.get(FLAGS_KEY) if isinstance(data, dict) else None
        if isinstance(text, str):
            self._on_text(text)
        else:
            self._on_absent(f"ConfigMap {self._namespace}/{self._name} has no key {FLAGS_KEY}")


def backoff(failures: int, chance: float) -> float:
    """Return how many seconds to wait after `failures` in a row; `chance`, 0 to 1, spreads a fleet over nine tenths of it.

    A server that restarts breaks every watch of a fleet at the same moment, so already the first wait is spread over a second.
    """
    longest = min(MAX_BACKOFF_SECONDS, 0.5 * 2.0 ** min(failures, 16))
    return float(longest * (0.1 + 0.9 * chance))


@asynccontextmanager
async def _closing(response: Any) -> AsyncIterator[aiohttp.ClientResponse]:
    answer: aiohttp.ClientResponse = getattr(response, "response", response)
    try:
        if answer.status == _GONE:
            raise WatchExpired
        if answer.status != 200:  # noqa: PLR2004 - HTTP's OK
            raise WatchBroken(f"the API answered {answer.status} {answer.reason}")
        yield answer
    finally:
        connection = answer.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()  # whoever leaves before the end owes nobody a goodbye, and must not wait for one
        answer.close()


def _object(raw: bytes) -> dict[str, Any]:
    try:
        members = json.loads(raw)
    except RecursionError as error:
        raise WatchBroken("the API answered something that nests too deeply") from error
    if not isinstance(members, dict):
        raise WatchBroken("the API answered something that is not a JSON object")
    return members


def _object_member(members: dict[str, Any], name: str) -> dict[str, Any]:
    value = members.get(name)
    return value if isinstance(value, dict) else {}


def _describe(error: Exception) -> str:
    if isinstance(error, ApiException):
        return f"the API answered {error.status} {error.reason}"
    return str(error) or type(error).__name__
