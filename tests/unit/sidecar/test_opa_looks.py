"""How often OPA is looked at, and what is known of it while it cannot be."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
import structlog

from sark_sidecar import exact_json
from sark_sidecar.opa.client import OpaFailure
from sark_sidecar.opa.rule_graph import RuleGraph
from sark_sidecar.opa.view import OpaView, WrittenRefused, pause_after
from sark_sidecar.policies.sources import PolicySources


class Server:
    """Stands for OPA: without policies, or failing."""

    failure: Exception | None = None
    answer = json.dumps({"result": []}).encode()
    hangs = False

    async def modules(self) -> bytes:
        if self.failure is not None:
            raise self.failure
        if self.hangs:
            await asyncio.Event().wait()
        return self.answer

    async def documents(self, paths: list[Any]) -> list[Any]:
        return [(path, {}) for path in paths]


class Gauge:
    """Stands for the telemetry."""

    def policies_match(self, match: bool, *, opa_up: bool) -> None:
        pass


@pytest.mark.parametrize(
    ("took", "interval", "pause"),
    [
        pytest.param(0.01, 3.0, 3.0, id="a quick look does not change it"),
        pytest.param(0.5, 3.0, 10.0, id="a slow one comes back later"),
        pytest.param(5.0, 3.0, 30.0, id="one that a busy machine held up does not hide changes for minutes"),
        pytest.param(5.0, 60.0, 60.0, id="who asks for longer gets longer"),
    ],
)
def test_the_pause_after_a_look(took: float, interval: float, pause: float):
    assert pause_after(took, interval=interval) == pytest.approx(pause)


async def seen(server: Server, written: Written | None = None, data: dict[str, Any] | None = None) -> tuple[OpaView, list[str]]:
    """Return a view that knows what OPA serves, and what it will have told of changes; `data` are the engine's."""
    changes: list[str] = []
    view = OpaView(
        server,
        ours=lambda: (PolicySources((), data or {}, ""), "r1"),
        interval=1.0,
        telemetry=Gauge(),
        on_change=lambda: changes.append("changed"),
        written=written,
    )
    await view.look()
    assert view.known is not None
    assert view.known.is_current
    return view, changes


def policies_with(*names: str) -> bytes:
    """OPA's answer: a rule `data.authz.allow` that names these documents."""
    data = {"type": "var", "value": "data"}
    terms = [{"type": "ref", "value": [data, {"type": "string", "value": name}]} for name in names]
    allow = {"head": {"name": "allow"}, "body": [{"terms": terms}]}
    package = {"path": [data, {"type": "string", "value": "authz"}]}
    return json.dumps({"result": [{"raw": "package authz", "ast": {"package": package, "rules": [allow]}}]}).encode()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("ours", "named", "kept"),
    [
        pytest.param({}, [], False, id="only OPA has it"),
        pytest.param({"grants": {}}, [], True, id="the engine has it"),
        pytest.param({}, ["grants"], True, id="a rule names it"),
        pytest.param({"roles": {}}, ["limits"], False, id="others are compared"),
    ],
)
async def test_a_document_may_be_kept_when_looks_read_it(ours: dict[str, Any], named: list[str], kept: bool):
    server = Server()
    server.answer = policies_with(*named)
    view, _ = await seen(server, data=ours)
    assert view.known is not None
    assert view.known.may_be_kept(("grants", "bob")) is kept
    # A rule's answer may be kept either way, and never that of all that lies beside it
    assert view.known.may_be_kept(("authz", "allow"))
    assert not view.known.may_be_kept(("authz",))
    assert not view.known.may_be_kept(())


@pytest.mark.asyncio
async def test_of_an_opa_that_is_away_decisions_are_found_and_none_is_kept():
    server = Server()
    view, changes = await seen(server)
    before = view.known
    assert before is not None

    server.failure = OpaFailure("connection", "OPA cannot be reached")
    await view.look()
    assert view.known is not None
    assert (view.known.kept_under, view.known.is_current, changes) == (before.kept_under, False, [])

    # What was asked before or meanwhile is not kept once it is back either: it may have been decided by others
    server.failure = None
    await view.look()
    assert view.known.is_current
    assert view.known.trust > before.trust
    # And neither is what the cache in process took between the last look and the failure
    assert changes == ["changed"]


@pytest.mark.asyncio
@pytest.mark.parametrize("first", ["write", "look"])
async def test_that_opa_was_away_is_not_forgotten_for_a_write_meanwhile(first: str):
    # Given an OPA that goes away and comes back with the same policies, and a client that writes before that
    server = Server()
    view, changes = await seen(server)
    server.failure = OpaFailure("connection", "OPA cannot be reached")
    if first == "write":
        view.distrust("a client writes")
    await view.look()
    view.distrust("a client writes")
    changes.clear()
    # When it is seen again
    server.failure = None
    await view.look()
    # Then what the cache in process took before it went is let go of
    assert changes == ["changed"]


@pytest.mark.asyncio
async def test_who_waits_for_a_look_is_told_of_one_that_was_cancelled():
    server = Server()
    view, _ = await seen(server)
    server.hangs = True
    looked = view.looked_anew()
    look = asyncio.create_task(view.look())
    await asyncio.sleep(0)
    look.cancel()
    await asyncio.gather(look, return_exceptions=True)
    assert looked.done()


@pytest.mark.asyncio
async def test_while_a_look_takes_too_long_nothing_is_kept_and_it_ends():
    # Given an OPA whose policies were seen, and that then answers no more
    server = Server()
    view, _ = await seen(server)
    before = view.known
    assert before is not None
    view._longest_look = 0.05
    server.hangs = True
    # When it is looked at
    await view.look()
    # Then the look has ended, and what was seen before is no longer taken for what is served
    assert view.known is not None
    assert (view.known.kept_under, view.known.is_current) == (before.kept_under, False)
    assert "takes longer than" in view.problem
    # And the next one that is in time is believed again
    server.hangs = False
    view._longest_look = 30.0
    await view.look()
    assert view.known.is_current


@pytest.mark.asyncio
async def test_base_data_is_spelled_outside_the_event_loop(monkeypatch: pytest.MonkeyPatch):
    threads: list[int] = []
    spell = exact_json.dumps

    def spelled(value: Any) -> bytes:
        threads.append(threading.get_ident())
        return spell(value)

    monkeypatch.setattr(exact_json, "dumps", spelled)
    await seen(Server())
    assert threads
    assert threading.get_ident() not in threads


class Written:
    """Stands for what clients wrote, which the engine can be given or not."""

    refused = False

    async def take_over(self, graph: RuleGraph) -> None:  # noqa: ARG002 - the view's signature
        if self.refused:
            raise WrittenRefused("too large")

    def compared(self, *, equal: bool) -> None:
        pass


@pytest.mark.asyncio
async def test_what_was_decided_by_data_that_the_engine_cannot_be_given_is_forgotten():
    # Given a cache in process that may have taken a decision by such data before they were seen
    written = Written()
    view, changes = await seen(Server(), written)
    # When they are seen, and then gone again
    written.refused = True
    await view.look()
    await view.look()
    written.refused = False
    await view.look()
    # Then it was emptied
    assert view.known is not None
    assert changes == ["changed"]


@pytest.mark.asyncio
async def test_of_an_opa_that_does_not_tell_its_policies_nothing_is_found():
    server = Server()
    view, changes = await seen(server)

    server.failure = OpaFailure("evaluation", "OPA answered 403 to GET /v1/policies")
    await view.look()
    await view.look()

    assert (view.known, view.problem, changes) == (None, "OPA answered 403 to GET /v1/policies", ["changed"])


@pytest.mark.parametrize(
    "answer",
    [
        b"null",
        b"[]",
        b'"ok"',
        b"5",
        b'{"result":5}',
        b'{"result":"ok"}',
        b'{"result":{"raw":"package a"}}',
        b'{"result":[null]}',
        b'{"result":[{"raw":5,"ast":{"package":{"path":[]},"rules":[]}}]}',
        b'{"result":[{"raw":"package a","ast":null}]}',
        b'{"result":[{"raw":"package a","ast":{"package":5}}]}',
        b"<html>",
    ],
)
@pytest.mark.asyncio
async def test_an_answer_that_is_no_list_of_policies_is_a_look_that_failed(answer: bytes):
    # Given an OPA that is known, and then something in its place that answers otherwise
    server = Server()
    view, changes = await seen(server)
    server.answer = answer
    looked = view.looked_anew()
    with structlog.testing.capture_logs() as logs:
        await view.look()
        await view.look()
    # Then nothing is kept or found, which is told once in a sentence, and whoever waits for a look goes on
    assert (view.known, changes) == (None, ["changed"])
    assert view.problem
    assert [(each["log_level"], each["reason"]) for each in logs] == [("warning", view.problem)]
    assert looked.done()
    # And the next answer that is one counts again
    server.answer = Server.answer
    await view.look()
    assert view.known is not None


@pytest.mark.asyncio
async def test_an_error_that_nobody_foresaw_distrusts_and_is_told_with_its_stack():
    server = Server()
    view, changes = await seen(server)
    server.failure = RuntimeError("bug")
    with structlog.testing.capture_logs() as logs:
        await view.look()
        await view.look()
    assert (view.known, changes) == (None, ["changed"])
    assert view.problem == "a fault of the sidecar, see its log: RuntimeError: bug"
    assert [(each["log_level"], each["exc_info"]) for each in logs] == [("error", True)]


@pytest.mark.asyncio
async def test_what_decisions_are_kept_under_stands_for_the_policies_before_as_well():
    # Given an OPA whose policies are replaced, and come back
    server = Server()
    view, changes = await seen(server)
    first = view.known
    server.answer = policies_with("grants")
    await view.look()
    server.answer = Server.answer
    await view.look()
    # Then they are the same policies, and nobody looks where decisions of their first time were kept
    assert first is not None
    assert view.known is not None
    assert view.known.revision == first.revision
    assert view.known.kept_under != first.kept_under
    assert changes == ["changed", "changed"]


class Hanging(Written):
    """Takes over for as long as it is let."""

    def __init__(self) -> None:
        self.hangs = asyncio.Event()
        self.hangs.set()

    async def take_over(self, graph: RuleGraph) -> None:  # noqa: ARG002 - the view's signature
        await self.hangs.wait()


@pytest.mark.asyncio
async def test_nothing_is_kept_while_the_engine_takes_too_long_over_what_was_written():
    # Given an engine that takes long to be given what clients wrote
    written = Hanging()
    view, _ = await seen(Server(), written)
    written.hangs.clear()
    view._longest_look = 0.01
    # When the look at OPA takes too long for it
    look = asyncio.create_task(view.look())
    async with asyncio.timeout(10):
        while not view.problem:  # noqa: ASYNC110 - what is waited for knows nothing of events
            await asyncio.sleep(0.001)
    # Then what was seen before is no longer taken for what is served, and what this look finds is not believed
    assert view.known is not None
    assert not view.known.is_current
    written.hangs.set()
    await look
    assert not view.known.is_current
