"""Writes: in which order things happen, and that the engine decides nothing while it is not known to have what OPA has."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from sark_sidecar import exact_json
from sark_sidecar.flags.state import Share
from sark_sidecar.opa.client import OpaFailure
from sark_sidecar.opa.rule_graph import RuleGraph
from sark_sidecar.opa.view import WrittenRefused
from sark_sidecar.policies.sources import PolicySourceError, policy_sources
from sark_sidecar.policies.written import check_names, written_over
from sark_sidecar.rest.answer import RestAnswer
from sark_sidecar.rest.request import RestRequest
from sark_sidecar.rest.upstream import NothingSent, Undetermined
from sark_sidecar.settings import WriteSettings
from sark_sidecar.writing import writer as writer_module
from sark_sidecar.writing.documents import WrittenData
from sark_sidecar.writing.gate import EngineGate
from sark_sidecar.writing.writer import Writer

EVERYBODY = Share(percentage=100, rust_opa=True, rust_cache=True)
DONE = RestAnswer(204, b"", ())
NO_RULES = RuleGraph(frozenset(), {}, frozenset())


@dataclass
class Holder:
    """OPA, as far as its documents go."""

    found: Any

    async def documents(self, paths: list[Any]) -> list[Any]:
        if isinstance(self.found, Exception):
            raise self.found
        return [(path, self.found) for path in paths]


@dataclass
class World:
    """OPA, the view of it, and the data plane; what happens is written down."""

    answer: RestAnswer | Exception = DONE
    matches_after: bool = True
    held: asyncio.Event | None = None
    looks_held: asyncio.Event | None = None
    documents: dict[str, Any] = field(default_factory=dict)
    refused: str = ""
    happened: list[str] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    requests: list[RestRequest] = field(default_factory=list)
    failed: list[bool] = field(default_factory=list)
    matches: bool = True
    now: float = 100.0
    patience: float = 5.0

    def distrust(self, why: str) -> Callable[[], None]:
        self.happened.append("distrust")
        self.matches = False
        assert why

        def take_back() -> None:
            self.happened.append("take back")
            self.matches = True

        return take_back

    async def look(self) -> None:
        self.happened.append("look")
        if self.looks_held is not None:
            await self.looks_held.wait()
        self.matches = self.matches_after
        self.data.compared(equal=self.matches)

    async def change(self, request: RestRequest) -> RestAnswer:
        self.requests.append(request)
        self.happened.append("change")
        if self.held is not None:
            await self.held.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def written(self, *, failed: bool) -> None:
        self.failed.append(failed)

    def engine_set_aside(self, is_aside: bool) -> None:
        del is_aside

    async def lay_over(self, documents: Any) -> None:
        if self.refused:
            raise PolicySourceError(self.refused)
        self.documents = dict(documents)

    def __post_init__(self) -> None:
        self.gate = EngineGate(self.shares.append, self)
        self.gate.apply(EVERYBODY)
        self.data = WrittenData(
            ("users",), max_bytes=2000, server=Holder(None), lay_over=self.lay_over, gate=self.gate, clock=lambda: self.now
        )

    def writer(self, **settings: int) -> Writer:
        chosen = WriteSettings(documents=("users",), max_bytes=2000, **settings)  # type: ignore[arg-type]
        return Writer(chosen, upstream=self, view=self, data=self.data, gate=self.gate, counter=self, patience=self.patience)

    @property
    def engine_decides(self) -> bool:
        return self.shares[-1].rust_opa


def put(value: object = None, target: str = "/v1/data/users/alice", method: str = "PUT", **headers: str) -> RestRequest:
    return RestRequest(method, target, list(headers.items()), json.dumps(value).encode())


@pytest.mark.asyncio
async def test_a_write_is_answered_when_both_have_it_and_keeps_the_engine_deciding():
    world = World()
    answer = await world.writer().answer(put({"role": "admin"}, "/v1/data/%75sers/alice?metrics"))
    assert answer == DONE
    # Nothing is kept or found from before OPA hears of it until both were seen to be alike.
    assert world.happened == ["distrust", "change", "look"]
    assert world.requests[0].target == "/v1/data/users/alice?metrics"
    assert (world.engine_decides, world.gate.reason, world.failed) == (True, "", [False])
    assert all(share.rust_opa for share in world.shares)


@pytest.mark.asyncio
async def test_when_they_are_not_seen_to_be_alike_the_engine_is_set_aside_until_they_are():
    world = World(matches_after=False)
    told = await world.writer().answer(put(1))
    assert told == DONE
    assert (world.engine_decides, bool(world.gate.reason)) == (False, True)
    # When the next look finds them alike
    world.matches_after = True
    await world.look()
    assert (world.engine_decides, world.gate.reason) == (True, "")


@pytest.mark.asyncio
async def test_a_write_in_doubt_may_come_late_so_one_look_that_finds_them_alike_is_not_enough():
    world = World(answer=Undetermined("OPA did not answer within 10 s"))
    told = await world.writer().answer(put(1))
    assert told.status == 500
    assert b"not known whether it was written" in told.body
    assert not world.engine_decides
    # When they are alike soon after, differ once more, and then stay alike
    world.now = 101.0
    await world.look()
    world.matches_after = False
    await world.look()
    world.matches_after, world.now = True, 103.0
    await world.look()
    assert not world.engine_decides
    world.now = 105.0
    await world.look()
    assert world.engine_decides


def test_a_second_doubt_has_to_settle_from_its_own_beginning():
    # Given a write in doubt, and both alike soon after it
    world = World()
    world.gate.shut("in doubt")
    world.data.doubt()
    world.data.compared(equal=True)
    # When another one is in doubt, and both are alike when the first would have settled
    world.now += 1.5
    world.data.doubt()
    world.now += 1.0
    world.data.compared(equal=True)
    # Then OPA may still write the second
    assert not world.engine_decides
    world.now += 2.0
    world.data.compared(equal=True)
    assert world.engine_decides


@pytest.mark.asyncio
async def test_an_opa_that_is_away_was_sent_nothing_and_nothing_is_in_doubt():
    world = World(answer=NothingSent("connection refused"))
    told = await world.writer().answer(put(1))
    assert told.status == 500
    assert b"nothing was written" in told.body
    assert world.happened == ["distrust", "change", "take back"]
    assert (world.engine_decides, world.gate.reason) == (True, "")


@pytest.mark.asyncio
async def test_a_write_that_takes_long_does_not_leave_the_engine_deciding(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writer_module, "_DOUBT_SECONDS", 0.01)
    world = World(held=asyncio.Event())
    assert world.held is not None
    writing = asyncio.create_task(world.writer().answer(put(1)))
    async with asyncio.timeout(10):
        while world.engine_decides:  # noqa: ASYNC110 - what is waited for knows nothing of events
            await asyncio.sleep(0.005)
    assert "more than a second" in world.gate.reason
    world.held.set()
    assert (await writing).status == 204
    assert world.engine_decides


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "before", ["", "it is not known whether OPA has written what it was sent last"], ids=["it decided", "it was set aside"]
)
async def test_what_was_sent_to_nobody_leaves_the_engine_as_it_was(monkeypatch: pytest.MonkeyPatch, before: str):
    monkeypatch.setattr(writer_module, "_DOUBT_SECONDS", 0.01)
    # Given a write that has been under way for so long that the engine is set aside, if it was not before
    world = World(answer=NothingSent("no route to host"), held=asyncio.Event())
    assert world.held is not None
    if before:
        world.gate.shut(before)
    writing = asyncio.create_task(world.writer().answer(put(1)))
    async with asyncio.timeout(10):
        while world.engine_decides or "change" not in world.happened:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
    # When it turns out that OPA was not even reached
    world.held.set()
    assert b"nothing was written" in (await writing).body
    # Then the engine decides as before: there is no look at an OPA that is away which could have it decide again
    assert (world.engine_decides, world.gate.reason) == (not before, before)


@pytest.mark.asyncio
async def test_a_reason_that_came_meanwhile_stays_when_nothing_was_sent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writer_module, "_DOUBT_SECONDS", 0.05)
    # Given a write under way, during which a look finds what the engine cannot be given
    world = World(answer=NothingSent("no route to host"), held=asyncio.Event())
    assert world.held is not None
    writing = asyncio.create_task(world.writer().answer(put(1)))
    async with asyncio.timeout(10):
        while "change" not in world.happened:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
    world.gate.shut("too large")
    # When the write has taken long, and OPA was not reached
    await asyncio.sleep(0.1)
    world.held.set()
    await writing
    # Then that is why the engine still does not decide
    assert (world.engine_decides, world.gate.reason) == (False, "too large")


@pytest.mark.asyncio
async def test_a_bug_on_the_way_leaves_no_engine_that_is_behind():
    world = World(answer=ZeroDivisionError("bug"), matches_after=False)
    with pytest.raises(ZeroDivisionError):
        await world.writer().answer(put(1))
    assert not world.engine_decides


@pytest.mark.asyncio
async def test_looks_that_take_long_are_no_more_than_one_and_the_next(monkeypatch: pytest.MonkeyPatch):
    # Given looks at OPA that come to no end, and an engine that is set aside until one does
    monkeypatch.setattr(writer_module, "_SETTLE_SECONDS", 0.001)
    world = World(looks_held=asyncio.Event(), patience=0.001)
    assert world.looks_held is not None
    writer = world.writer()
    # When clients go on writing
    for _ in range(30):
        assert await writer.answer(put(1)) == DONE
        await asyncio.sleep(0.002)
    world.happened.append("release")
    world.looks_held.set()
    async with asyncio.timeout(10):
        while not world.engine_decides or writer._looks:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
    # Then one look was under way, and one more began after the last write
    assert world.happened[: world.happened.index("release")].count("look") == 1
    assert world.happened[world.happened.index("release") :].count("look") == 1


@pytest.mark.asyncio
async def test_a_write_is_sent_when_the_one_before_is_over():
    # Given a write under way, which needed no trial
    world = World(held=asyncio.Event())
    assert world.held is not None
    writer = world.writer()
    first, second = (asyncio.create_task(writer.answer(put(method="DELETE"))) for _ in range(2))
    for _ in range(20):
        await asyncio.sleep(0)
    # Then another one waits until both have the first
    assert world.happened == ["distrust", "change"]
    world.held.set()
    await asyncio.gather(first, second)
    assert world.happened == ["distrust", "change", "look"] * 2


@pytest.mark.asyncio
async def test_one_write_at_a_time_and_no_more_wait_than_may():
    world = World(held=asyncio.Event())
    assert world.held is not None
    writer = world.writer(queue=2)
    writes = [asyncio.create_task(writer.answer(put(number))) for number in range(5)]
    async with asyncio.timeout(10):
        while sum(write.done() for write in writes) < 2:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
    assert world.happened == ["distrust", "change"]
    world.held.set()
    assert sorted(answer.status for answer in await asyncio.gather(*writes)) == [204, 204, 204, 503, 503]
    assert world.happened == ["distrust", "change", "look"] * 3


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (put(1, "/v1/data/mcp/roles"), 403),
        (put(1, "/v1/data"), 403),
        (put([], "/v1/data", method="PATCH"), 403),
        (put(1, "/v1/data/users//a"), 400),
        (put("x" * 2000), 413),
        (RestRequest("PUT", "/v1/data/users", [], b"{"), 400),
        (RestRequest("PUT", "/v1/data/users", [], b""), 400),
        (RestRequest("PUT", "/v1/data/users", [], b"1 2"), 400),
        # A fraction that no double holds: OPA would, and the engine would not.
        (RestRequest("PUT", "/v1/data/users", [], b"0.12345678901234567890123"), 400),
        (RestRequest("PUT", "/v1/data/users", [("Content-Encoding", "gzip")], b"1"), 400),
    ],
)
async def test_what_cannot_be_written_never_reaches_opa(request_: RestRequest, status: int):
    world = World()
    answer = await world.writer().answer(request_)
    assert answer.status == status
    assert set(json.loads(answer.body)) == {"code", "message"}
    assert (world.requests, world.engine_decides) == ([], True)


@pytest.mark.asyncio
async def test_what_is_to_be_written_is_read_beside_the_event_loop_and_one_at_a_time(monkeypatch: pytest.MonkeyPatch):
    # Given some writes at once
    threads: list[threading.Thread] = []
    reading, most = 0, 0
    loads = exact_json.loads

    def read(text: bytes | str) -> Any:
        nonlocal reading, most
        threads.append(threading.current_thread())
        reading += 1
        most = max(most, reading)
        time.sleep(0.01)
        reading -= 1
        return loads(text)

    monkeypatch.setattr(exact_json, "loads", read)
    writer = World().writer()
    # When they are answered
    answers = await asyncio.gather(*(writer.answer(put(number)) for number in range(8)))
    # Then no body was read on the loop's thread, nor two at a time: other work needs these threads
    assert [answer.status for answer in answers] == [204] * 8
    assert len(threads) == 8
    assert threading.current_thread() not in threads
    assert most == 1


@pytest.mark.asyncio
async def test_the_engine_is_given_what_opa_holds():
    world = World()

    world.data._server = Holder({"alice": 1})
    await world.data.take_over(NO_RULES)
    assert (world.documents, world.data.size) == ({"users": {"alice": 1}}, len(b'{"users":{"alice":1}}'))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("found", "graph", "refused", "sentence"),
    [
        ({"alice": 1}, RuleGraph(frozenset({("users", "allow")}), {}, frozenset()), "", "has rules there"),
        ("x" * 3000, NO_RULES, "", r"writes\.max_bytes"),
        ({"alice": 1}, NO_RULES, "more than 5 bytes of memory", "of memory"),
    ],
)
async def test_what_the_engine_cannot_be_given_sets_it_aside(found: Any, graph: RuleGraph, refused: str, sentence: str):
    world = World(refused=refused)

    world.data._server = Holder(found)
    with pytest.raises(WrittenRefused, match=sentence):
        await world.data.take_over(graph)
    assert not world.engine_decides


@pytest.mark.asyncio
async def test_an_opa_that_does_not_say_leaves_things_as_they_are():
    world = World(documents={"users": 1})

    world.data._server = Holder(OpaFailure("connection", "gone"))
    with pytest.raises(OpaFailure):
        await world.data.take_over(NO_RULES)
    assert (world.documents, world.engine_decides) == ({"users": 1}, True)


def test_a_source_has_nothing_where_clients_write():
    sources = policy_sources({"a.rego": b"package a\n", "users/data.json": b'{"x": 1}'})
    with pytest.raises(PolicySourceError, match=r"it has data at data\.users"):
        check_names(["users"], sources, ["a"])
    check_names(["sessions"], sources, ["a"])
    for package in ("sessions", "sessions.of"):
        with pytest.raises(PolicySourceError, match=r"it has a package at data\.sessions"):
            check_names(["sessions"], sources, [package])


def test_written_documents_change_what_is_served_and_nothing_of_the_source():
    sources = policy_sources({"a.rego": b"package a\n", "data.json": b'{"own": 1}'})
    with_users = written_over(sources, {"users": {"alice": 1}})
    assert with_users.data == {"own": 1, "users": {"alice": 1}}
    assert sources.data == {"own": 1}
    assert len({sources.digest, with_users.digest, written_over(sources, {"users": {}}).digest}) == 3
    assert written_over(sources, {}) is sources
