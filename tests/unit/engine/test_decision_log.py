"""The data plane's decision log: events of every kind of request, masks, rules, bounds, and the number in the answer."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sark_engine import Engine, Policies, Server

from .conftest import DataPlane, serve_jobs

AUTHZ = 'package authz\ndefault allow := false\nallow if input.user.id == "alice"\nreason := "she is alice" if allow\n'
SYSTEM_LOG = """package system.log
mask contains "/input/password"
mask contains {"op": "upsert", "path": "/input/user/name", "value": "***"} if input.input.user.name
drop if input.path == "authz/reason"
"""
Start = Callable[..., DataPlane]


@pytest.fixture
def logging(engine: Engine) -> Iterator[Start]:
    """Start a data plane with a decision log; a job is answered as conftest does."""
    stopping = threading.Event()
    begun: list[tuple[DataPlane, threading.Thread]] = []

    def begin(policies: str = "", **options: Any) -> DataPlane:
        if policies:
            engine.replace_policies(Policies([("authz.rego", AUTHZ), ("log.rego", policies)]))
        server = Server(engine)
        server.log_decisions(**{"labels": {"app": "shop"}, **options})
        plane = DataPlane(server, server.start())
        plane.flags(revision=7)
        thread = threading.Thread(target=serve_jobs, args=(plane, DataPlane.answer, stopping))
        thread.start()
        begun.append((plane, thread))
        return plane

    yield begin
    stopping.set()
    for plane, thread in begun:
        thread.join()
        plane.server.drain(0.0)


def taken(plane: DataPlane) -> list[Any]:
    events: list[Any] = []
    while (some := plane.server.take_logged()) is not None:
        events += [json.loads(event) for event in some]
    return events


def post(plane: DataPlane, path: str, document: object) -> Any:
    return plane.request("POST", path, json.dumps(document).encode()).json


@pytest.mark.parametrize(("percentage", "arm", "decider"), [(100, "rust", "engine"), (0, "python", "opa")])
def test_a_decision_of_either_arm_is_an_event_with_the_number_of_its_answer(
    logging: Start, engine: Engine, percentage: int, arm: str, decider: str
):
    plane = logging()
    plane.flags(percentage=percentage, revision=7)
    plane.server.name_bundles(engine.policies.revision, '{"policies":{"revision":"v3"}}')
    for _ in range(2):
        # The second one is found in the cache, where there is one
        answer = post(plane, "/v1/data/authz/allow", {"input": {"user": {"id": "alice"}}})
        (event,) = taken(plane)
        assert (event["decision_id"], event["result"]) == (answer["decision_id"], answer["result"])
        assert (event["path"], event["input"], event["labels"]) == ("authz/allow", {"user": {"id": "alice"}}, {"app": "shop"})
        assert event["requested_by"].startswith("127.0.0.1:")
        assert event["metrics"]["timer_server_handler_ns"] > 0
        assert event["timestamp"].endswith("Z")
        custom = event["custom"]
        assert (custom["arm"], custom["decider"], custom["flag_revision"]) == (arm, decider, 7)
        assert (custom["rollout"], custom["policy_revision"]) == ("shop/gateway", engine.policies.revision)
        assert ("bundles" in event) == (decider == "engine")
    assert plane.metric("sark_decision_log_events_total") == 2


def test_without_a_decision_log_there_is_no_number(start: Any):
    plane = start()
    assert "decision_id" not in plane.ask("authz/allow").json
    assert plane.server.take_logged() is None


def test_an_undefined_decision_has_no_result_and_a_request_that_is_none_no_event(logging: Start):
    plane = logging()
    answer = post(plane, "/v1/data/authz/nothing", {"input": {}})
    assert set(answer) == {"decision_id"}
    assert post(plane, "/v1/data/authz/allow", []) != {}
    (event,) = taken(plane)
    assert "result" not in event
    assert event["custom"]["outcome"] == "undefined"


def test_a_fallback_is_told(logging: Start):
    plane = logging()
    post(plane, "/v1/data/authz/conflict", {"input": {"user": {}}})
    (event,) = taken(plane)
    assert (event["custom"]["fallback"], event["custom"]["arm"]) == ("evaluation", "rust")


def test_version_0_and_batches_are_logged_one_by_one(logging: Start):
    plane = logging()
    assert post(plane, "/v0/data/authz/allow", {"user": {"id": "alice"}}) is True
    batch = post(plane, "/v1/batch/data/authz/allow", {"inputs": {"a": {"user": {"id": "alice"}}, "b": {}}})
    events = taken(plane)
    assert [event["result"] for event in events] == [True, True, False]
    numbers = {answer["decision_id"] for answer in batch["responses"].values()}
    assert numbers == {event["decision_id"] for event in events[1:]}


def test_a_parameter_hides_no_decision(logging: Start):
    plane = logging()
    post(plane, "/v1/data/authz/allow?metrics", {"input": {"user": {"id": "bob"}}})
    packed = gzip.compress(b'{"input": {"n": 1}}')
    plane.request("POST", "/v1/data/authz/allow?explain=full", packed, {"Content-Encoding": "gzip"})
    plane.request("GET", "/v1/data/authz/allow?provenance&input=%7B%22a%22%3A1%7D")
    plane.request("POST", "/v1/data/authz/allow", b"input: {secret: 1}", {"Content-Type": "application/yaml"})
    events = taken(plane)
    assert [(event["path"], event["custom"]["arm"]) for event in events] == [("authz/allow", "none")] * 4
    assert [event.get("input") for event in events] == [{"user": {"id": "bob"}}, {"n": 1}, {"a": 1}, None]
    assert events[3]["erased"] == ["/input"]
    assert all(event["result"] is True for event in events)


def test_masks_of_the_configuration(logging: Start):
    plane = logging(
        erase=["/input/password", "/input/people/*/token", "/result"], upsert=[("/input/card", b'"****"')], ask_policies=False
    )
    secret = {"password": "s3cret", "people": [{"token": "s3cret", "id": 1}], "card": "s3cret", "user": {"id": "alice"}}
    post(plane, "/v1/data/authz/allow", {"input": secret})
    (event,) = taken(plane)
    assert "s3cret" not in json.dumps(event)
    assert event["input"] == {"people": [{"id": 1}], "card": "****", "user": {"id": "alice"}}
    assert event["erased"] == ["/input/password", "/input/people/0/token", "/result"]
    assert (event["masked"], "result" in event) == (["/input/card"], False)


def test_the_policies_are_asked_as_opa_asks_them(logging: Start):
    plane = logging(SYSTEM_LOG)
    post(plane, "/v1/data/authz/allow", {"input": {"password": "s3cret", "user": {"id": "alice", "name": "s3cret"}}})
    post(plane, "/v1/data/authz/reason", {"input": {}})
    (event,) = taken(plane)
    assert event["input"] == {"user": {"id": "alice", "name": "***"}}
    assert (event["erased"], event["masked"]) == (["/input/password"], ["/input/user/name"])
    assert plane.metric("sark_decision_log_dropped_total", reason="rule") == 1


@pytest.mark.parametrize(
    "broken",
    [
        "package system.log\nmask := 1 if input\nmask := 2 if input\n",
        'package system.log\nmask contains "/nonsense"\n',
        'package system.log\nmask := "no list"\n',
        'package system.log\nmask contains {"op": "explode", "path": "/input/a"}\n',
    ],
)
def test_what_cannot_be_masked_is_logged_without_what_it_holds(logging: Start, broken: str):
    plane = logging(broken)
    post(plane, "/v1/data/authz/allow", {"input": {"user": {"id": "alice"}, "password": "s3cret"}})
    (event,) = taken(plane)
    assert ("input" in event, "result" in event) == (False, False)
    assert event["erased"] == ["/input", "/result"]
    assert plane.metric("sark_decision_log_hidden_total") == 1


def test_rules_the_pace_and_the_room_drop_and_count(logging: Start):
    plane = logging(drop=[("authz/reason", ""), ("authz/*", "allow")])
    post(plane, "/v1/data/authz/reason", {"input": {}})
    for user in ("alice", "bob"):
        plane.ask("authz/allow", user)
    assert [event["result"] for event in taken(plane)] == [False]
    assert plane.metric("sark_decision_log_dropped_total", reason="rule") == 2

    slow = logging(max_per_second=1.0)
    for _ in range(30):
        slow.ask("authz/allow")
    assert len(taken(slow)) + slow.metric("sark_decision_log_dropped_total", reason="rate") == 30
    assert slow.metric("sark_decision_log_dropped_total", reason="rate") > 0

    full = logging(queue=3)
    for _ in range(5):
        assert full.ask("authz/allow").status == 200
    assert len(taken(full)) == 3
    assert full.metric("sark_decision_log_dropped_total", reason="queue") == 2
    full.server.count_unlogged("unsent", 4)
    assert full.metric("sark_decision_log_dropped_total", reason="unsent") == 4


def test_what_cannot_be_set_up_is_refused(engine: Engine):
    server = Server(engine)
    for wrong, sentence in [
        ({"erase": ["/password"]}, "JSON pointer such as /input/password"),
        ({"upsert": [("/input/a", b"{")]}, "the value of the mask"),
        ({"drop": [("a*b", "")]}, "a path to drop"),
        ({"drop": [("a", "maybe")]}, "an outcome to drop"),
        ({"max_per_second": 0.0}, "more than zero"),
        ({"queue": 0}, "room for something"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            server.log_decisions(labels={}, **wrong)  # type: ignore[arg-type]
    server.log_decisions(labels={})
    with pytest.raises(ValueError, match="set up already"):
        server.log_decisions(labels={})
    with pytest.raises(ValueError, match="reason must be one of"):
        server.count_unlogged("because")


def test_what_is_kept_of_an_answer_is_not_its_time_and_how_it_looks_is(logging: Start, engine: Engine):
    # Given: a large document, and a log of decisions
    plane = logging()
    large = json.dumps({"large": [{"a": [1, 2, {"b": "c"}]}] * 100_000})
    engine.replace_policies(Policies([("a.rego", "package a\nallow := true\n")], large.encode()))
    assert plane.request("GET", "/v1/data/large").status == 200
    before, count = (plane.metric(f"sark_request_duration_seconds_{of}", implementation="rust") for of in ("sum", "count"))
    # When: it is asked for again, indented
    began = time.perf_counter()
    assert plane.request("GET", "/v1/data/large?pretty").status == 200
    took = time.perf_counter() - began
    # Then: most of the client's time is the request's, once
    assert took / 4 < plane.metric("sark_request_duration_seconds_sum", implementation="rust") - before < took
    assert plane.metric("sark_request_duration_seconds_count", implementation="rust") == count + 1
