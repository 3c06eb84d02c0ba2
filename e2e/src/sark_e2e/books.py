"""The books of every rollout in a namespace, kept by watching the API server: each state that was stored, in its order.

Whoever keeps them takes no part in what happens, so they are kept beside every scenario, and checked at its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from sark_api.evidence import LABEL_EVIDENCE, record_number
from sark_api.flags import FlagDocument, FlagDocumentError, parse_flag_document
from sark_api.names import FIELD_MANAGER, FLAGS_KEY, GROUP, PLURAL, VERSION
from sark_cli.rollout import Rollout

from .control_plane import ControlPlane
from .deadline import eventually
from .ledger import Account

_PAUSE_SECONDS: Final = 0.2
"""Between two tries to reach an API server that is away."""
_CLOSING_SECONDS: Final = 0.1
"""In which connections are closed; they need a few turns of the loop."""
_CATCHING_UP_SECONDS: Final = 60.0


class Books:
    """Keeps an account of each rollout in `namespace`. A context manager; it is kept in a thread of its own."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self._plane = control_plane
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="books", daemon=True)
        self._accounts: dict[str, Account] = {}
        """By uid."""
        self._in_force: dict[str, FlagDocument | None] = {}
        """By name of a ConfigMap: the document in it, if it can be read."""
        core = f"{control_plane.server}/api/v1/namespaces/{namespace}/configmaps"
        ours = f"{control_plane.server}/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}"
        self._watches = (_Watch(core, self._note_config_map), _Watch(ours, self._note_rollout))

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def broken_promises(self) -> list[str]:
        """Return every promise that was not kept to any rollout so far. Call it when nobody writes any more."""
        for watch, following in zip(self._watches, self._following, strict=True):
            self._catch_up(watch, following)
        for account in self._accounts.values():
            document = self._in_force.get(account.spec.target.flags_config_map) if account.spec else None
            account.in_force = document if document is not None and document.salt == account.uid else None
        return [problem for account in self._accounts.values() for problem in account.broken()]

    def account(self, name: str) -> Account:
        """Return what is known of the latest rollout called `name`."""
        self.broken_promises()
        return next(account for account in reversed(self._accounts.values()) if account.key.endswith(f"/{name}"))

    def _catch_up(self, watch: _Watch, following: asyncio.Task[None]) -> None:
        """Wait until `watch` has come to what is stored now. Raises TimeoutError, or what ended `following`."""
        now = asyncio.run_coroutine_threadsafe(watch.newest(self._session), self._loop).result(_CATCHING_UP_SECONDS)
        eventually(
            lambda: following.done() or watch.seen >= now,
            what=f"the books to have {watch.url}",
            seconds=_CATCHING_UP_SECONDS,
        )
        if following.done():
            following.result()

    async def _open(self) -> None:
        connector = aiohttp.TCPConnector(ssl=self._plane.tls())
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None, sock_connect=5))
        self._following = [asyncio.create_task(watch.follow(self._session)) for watch in self._watches]

    async def _close(self) -> None:
        for following in self._following:
            following.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        await self._session.close()
        await asyncio.sleep(_CLOSING_SECONDS)

    def _account(self, uid: str, key: str = "") -> Account:
        account = self._accounts.setdefault(uid, Account(key, uid))
        account.key = account.key or key
        return account

    def _note_rollout(self, kind: str, body: Mapping[str, Any], *, follows: bool) -> None:
        rollout = Rollout.from_object(body)
        account = self._account(str(body["metadata"]["uid"]), rollout.name)
        account.gone = kind == "DELETED"
        if rollout.status.conditions:
            account.store(rollout.spec, rollout.status, follows=follows)

    def _note_config_map(self, kind: str, body: Mapping[str, Any], *, follows: bool) -> None:
        del follows  # a document or a record that was not seen breaks nothing here
        metadata, data = body["metadata"], body.get("data") or {}
        uid = (metadata.get("labels") or {}).get(LABEL_EVIDENCE)
        if uid is not None and kind != "DELETED":
            records = self._account(uid).records
            for record, text in data.items():
                number = record_number(record)
                if number is not None:
                    records.setdefault(number, set()).add(text)
        elif FLAGS_KEY in data:
            document = None if kind == "DELETED" else _readable(data[FLAGS_KEY])
            self._in_force[metadata["name"]] = document
            if document is not None and _is_operators(metadata):
                written = self._account(document.salt, document.rollout).documents
                written += [document] if document not in written[-1:] else []


class _Watch:
    """One kind of objects, followed from a first list on, over ends of the API server."""

    def __init__(self, url: str, note: Callable[..., None]) -> None:
        """Tell `note` of each object: what happened to it, the object, and whether nothing was missed before (`follows`)."""
        self.url = url
        self.seen = 0
        """The resourceVersion that has been come to."""
        self._note = note
        self._whole = False

    async def follow(self, session: aiohttp.ClientSession) -> None:
        """Follow until this is cancelled."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                if not self._whole:
                    await self._list(session)
                await self._stream(session)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def newest(self, session: aiohttp.ClientSession) -> int:
        """Return the highest resourceVersion of the objects that are there."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with session.get(self.url) as answer:
                    answer.raise_for_status()
                    found = await answer.json()
                    return max((int(item["metadata"]["resourceVersion"]) for item in found["items"]), default=0)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _list(self, session: aiohttp.ClientSession) -> None:
        async with session.get(self.url) as answer:
            answer.raise_for_status()
            found = await answer.json()
        for item in found["items"]:
            self._note("ADDED", item, follows=False)
        self.seen, self._whole = int(found["metadata"]["resourceVersion"]), True

    async def _stream(self, session: aiohttp.ClientSession) -> None:
        query = {"watch": "true", "resourceVersion": str(self.seen), "allowWatchBookmarks": "true"}
        async with session.get(self.url, params=query) as answer:
            connection = answer.connection
            if answer.status == 410:
                self._whole = False
            answer.raise_for_status()
            try:
                async for event in _events(answer):
                    if not self._took(event):
                        return
            finally:
                if connection is not None and connection.transport is not None:
                    connection.transport.abort()  # the server would go on sending

    def _took(self, event: Mapping[str, Any]) -> bool:
        """Take note of an event; return whether the next one will follow it without a gap."""
        if event["type"] == "ERROR":
            self._whole = False
            return False
        if event["type"] != "BOOKMARK":
            self._note(event["type"], event["object"], follows=True)
        self.seen = int(event["object"]["metadata"]["resourceVersion"])
        return True


async def _events(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """Yield what a watch answers; a line may be longer than the buffer of a stream."""
    rest = b""
    async for chunk in answer.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in filter(None, lines):
            yield json.loads(line)


def _readable(text: str) -> FlagDocument | None:
    try:
        return parse_flag_document(text)
    except FlagDocumentError:
        return None


def _is_operators(metadata: Mapping[str, Any]) -> bool:
    """Return whether the operator alone owns the document, so that it was the last to write it."""
    owners = {
        (entry.get("manager"), entry.get("operation"))
        for entry in metadata.get("managedFields") or ()
        if f"f:{FLAGS_KEY}" in ((entry.get("fieldsV1") or {}).get("f:data") or {})
    }
    return owners == {(FIELD_MANAGER, "Apply")}
