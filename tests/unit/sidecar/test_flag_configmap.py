"""What the watch does with each kind of answer of the API, shown with an API that plays a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import ConfigException

from sark_api.names import FLAGS_KEY
from sark_sidecar.flags import configmap
from sark_sidecar.flags.configmap import FlagConfigMap


def item(version: str, text: str | None = "a document") -> dict[str, Any]:
    data = {} if text is None else {FLAGS_KEY: text}
    return {"metadata": {"name": "flags", "resourceVersion": version}, "data": data}


def listing(version: str, *items: dict[str, Any]) -> bytes:
    return json.dumps({"metadata": {"resourceVersion": version}, "items": list(items)}).encode()


def event(kind: str, obj: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


@dataclass
class Content:
    lines: list[bytes]

    async def iter_any(self) -> AsyncIterator[bytes]:
        for line in self.lines:
            yield line

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for line in self.lines:
            yield line


@dataclass
class Reply:
    lines: list[bytes]
    status: int = 200
    reason: str = ""
    content_length: int | None = None
    connection: None = None
    closed: bool = False

    @property
    def content(self) -> Content:
        return Content(self.lines)

    def close(self) -> None:
        self.closed = True


@dataclass
class Api:
    """Answers each call with the next part of the script, then stays silent."""

    script: list[Reply | Exception]
    calls: list[str] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def list_namespaced_config_map_without_preload_content(self, _namespace: str, **query: Any) -> Reply:
        assert query["field_selector"] == "metadata.name=flags"
        self.calls.append(f"watch {query['resource_version']}" if query.get("watch") else "list")
        if len(self.calls) > len(self.script):
            self.done.set()
            await asyncio.Event().wait()
        reply = self.script[len(self.calls) - 1]
        if isinstance(reply, Exception):
            raise reply
        return reply


async def play(*script: Reply | Exception) -> tuple[list[str], list[str]]:
    """Return the API calls and what was told, in order."""
    told: list[str] = []
    watch = FlagConfigMap(
        None,  # type: ignore[arg-type]
        "team",
        "flags",
        on_text=lambda text: told.append(f"text {text}"),
        on_absent=lambda reason: told.append(f"absent {reason}"),
        on_link=lambda up, reason: told.append("up" if up else f"down {reason}"),
    )
    api = Api(list(script))
    watch._api = api  # type: ignore[assignment]
    task = asyncio.create_task(watch.run())
    try:
        async with asyncio.timeout(20):
            await api.done.wait()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert all(reply.closed for reply in script if isinstance(reply, Reply))
    return api.calls, told


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configmap, "MAX_BACKOFF_SECONDS", 0.01)


@pytest.mark.asyncio
async def test_the_watch_goes_on_from_the_last_version_seen():
    calls, told = await play(
        Reply([listing("7", item("5", "one"))]),
        Reply([event("MODIFIED", item("8", "two")), event("BOOKMARK", {"metadata": {"resourceVersion": "9"}})]),
        Reply([listing("9")]),
    )
    # A watch that ends at once is taken for a fault, so the next thing is a list; the version was followed until then.
    assert calls[:3] == ["list", "watch 7", "list"]
    assert told[:5] == ["up", "text one", "up", "text two", "down the API ended the watch at once"]


@pytest.mark.asyncio
async def test_an_expired_version_asks_for_a_new_list_and_is_no_outage():
    gone = event("ERROR", {"code": 410, "reason": "Expired", "message": "too old resource version"})
    for expired in (Reply([gone]), Reply([], status=410)):
        calls, told = await play(Reply([listing("7")]), expired, Reply([listing("90", item("88", "new"))]))
        assert calls[:4] == ["list", "watch 7", "list", "watch 90"]
        assert "text new" in told
        assert not [each for each in told if each.startswith("down")]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (ApiException(status=403, reason="Forbidden"), "the API answered 403 Forbidden"),
        (Reply([], status=500, reason="oops"), "the API answered 500 oops"),
        (TimeoutError(), "TimeoutError"),
        (ConnectionResetError("reset"), "reset"),
        (Reply([b"not json"]), "Expecting value: line 1 column 1 (char 0)"),
        (Reply([b"[" * 100_000]), "the API answered something that nests too deeply"),
        (ConfigException("Token file exists but empty."), "Token file exists but empty."),
        (Reply([b"[]"]), "the API answered something that is not a JSON object"),
        (Reply([b"{}"]), "the API's list of ConfigMaps is not one"),
        (Reply([listing("7")], content_length=10_000_000), "the answer has 10000000 bytes; at most 2097152 are read"),
    ],
)
@pytest.mark.asyncio
async def test_every_fault_is_told_and_followed_by_another_try(fault: Reply | Exception, reason: str):
    calls, told = await play(fault, Reply([listing("7", item("5"))]))
    assert calls[:2] == ["list", "list"]
    assert told[:3] == [f"down {reason}", "up", "text a document"]


@pytest.mark.asyncio
async def test_an_error_that_nobody_foresaw_is_told_with_its_stack_and_followed_by_another_try():
    # Given an API, or a client of it, that fails in a way of its own, twice
    error = RuntimeError("bug")
    with structlog.testing.capture_logs() as logs:
        calls, told = await play(error, error, Reply([listing("7", item("5"))]))
    # Then the watch goes on, and the log has the stack once
    assert calls[:3] == ["list", "list", "list"]
    assert told[2:4] == ["up", "text a document"]
    assert told[0] == told[1] == "down a fault of the sidecar, see its log: RuntimeError: bug"
    assert [(each["log_level"], each["exc_info"]) for each in logs] == [("error", error)]


@pytest.mark.asyncio
async def test_an_error_event_ends_the_watch():
    failed = event("ERROR", {"code": 500, "message": "etcd is away"})
    _, told = await play(Reply([listing("7")]), Reply([failed]))
    assert "down the watch was ended with code 500: etcd is away" in told


@pytest.mark.asyncio
async def test_no_object_no_key_and_a_deletion_are_told_apart():
    deleted = event("DELETED", item("9"))
    _, told = await play(Reply([listing("7")]), Reply([event("ADDED", item("8", None)), deleted]))
    assert "absent ConfigMap team/flags does not exist" in told
    assert "absent ConfigMap team/flags has no key flags.json" in told
    assert "absent ConfigMap team/flags was deleted; the last good document stays in force" in told
