"""What is asked of the API server for evidence: nothing is written or deleted but what was read."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, cast

import pytest

from sark_api.evidence import LABEL_EVIDENCE
from sark_api.names import API_VERSION, KIND
from sark_operator.shell import evidence_store as module
from sark_operator.shell.api import RolloutObject
from sark_operator.shell.evidence_store import ConfigMapEvidence, StoredSegment

pytestmark = pytest.mark.asyncio

SEGMENT = StoredSegment("evidence-1", "u-1", "7", "uid-1", closed=False, records={"1": "a"}, owners=({"kind": "Somebody"},))


class Server:
    """Stands for the API server: keeps what it is sent."""

    def __init__(self, found: Mapping[str, Any] | None = None) -> None:
        self.found = found or {}
        self.bodies: list[dict[str, Any]] = []

    async def get(self, _path: Sequence[str]) -> Mapping[str, Any]:
        return self.found

    async def create(self, _path: Sequence[str], body: dict[str, Any], _query: Mapping[str, str]) -> None:
        self.bodies.append(body)

    replace = create

    async def delete(self, _path: Sequence[str], body: dict[str, Any]) -> None:
        self.bodies.append(body)

    async def ask(self, _verb: str, _what: str, call: Awaitable[Any]) -> Any:
        return await call


def rollout(**metadata: object) -> RolloutObject:
    return RolloutObject({"metadata": {"namespace": "shop", "name": "gateway", "uid": "uid-1", **metadata}})


def store(server: Server, monkeypatch: pytest.MonkeyPatch) -> ConfigMapEvidence:
    monkeypatch.setattr(module, "Documents", lambda *_, **__: server)
    return ConfigMapEvidence(cast("Any", None), cast("Any", server))


@pytest.mark.parametrize("closed", [False, True])
async def test_a_segment_is_read_with_whether_it_is_closed_and_whose_it_is(
    monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    metadata = {"uid": "u-1", "resourceVersion": "7", "labels": {LABEL_EVIDENCE: "uid-1"}, "ownerReferences": [*SEGMENT.owners]}
    server = Server({"metadata": metadata, "data": {"1": "a"}} | ({"immutable": True} if closed else {}))

    read = await store(server, monkeypatch).read("shop", "evidence-1")

    assert read == StoredSegment("evidence-1", "u-1", "7", "uid-1", closed=closed, records={"1": "a"}, owners=SEGMENT.owners)


@pytest.mark.parametrize("closed", [False, True])
async def test_a_write_is_of_the_version_that_was_read_and_keeps_its_owners(
    monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    server = Server()

    await store(server, monkeypatch).replace(rollout(), SEGMENT, {"1": "a", "2": "b"}, closed=closed)

    (body,) = server.bodies
    assert (body["metadata"]["uid"], body["metadata"]["resourceVersion"]) == ("u-1", "7")
    assert body["metadata"]["ownerReferences"] == [*SEGMENT.owners]
    assert body["data"] == {"1": "a", "2": "b"}
    assert body.get("immutable", False) is closed


async def test_only_what_was_read_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()

    await store(server, monkeypatch).delete("shop", SEGMENT)

    assert server.bodies == [{"preconditions": {"uid": "u-1", "resourceVersion": "7"}}]


OURS = {"apiVersion": API_VERSION, "kind": KIND, "name": "gateway", "uid": "uid-1", "controller": True}


@pytest.mark.parametrize(
    ("of", "after", "owners"),
    [
        pytest.param(rollout(), None, [OURS], id="the first goes with its rollout"),
        pytest.param(rollout(), SEGMENT, [*SEGMENT.owners], id="the next has the owners of the one before"),
        pytest.param(rollout(deletionTimestamp="now", finalizers=["other"]), None, [OURS], id="deleted with what it owns"),
        pytest.param(rollout(deletionTimestamp="now", finalizers=["orphan"]), None, [], id="deleted without what it owns"),
    ],
)
async def test_a_segment_is_made_with_its_owners(
    monkeypatch: pytest.MonkeyPatch, of: RolloutObject, after: StoredSegment | None, owners: list[object]
) -> None:
    server = Server()

    await store(server, monkeypatch).create(of, "evidence-2", {"2": "b"}, after)

    (body,) = server.bodies
    assert body["metadata"]["ownerReferences"] == owners
    assert body["metadata"]["labels"][LABEL_EVIDENCE] == "uid-1"
