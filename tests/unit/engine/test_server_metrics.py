from __future__ import annotations

import gzip
import itertools
import json
import os
import socket
import threading
import time
from typing import Any, Final

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sark_engine import BaselineJob, Engine, EvaluationError, Policies

from sark_api import names

from .conftest import DataPlane

SLOW = "package slow\n\nmany := count([x | some x in numbers.range(1, 300000); x % 7 == input])\n"
BLOCKED = gzip.compress(b'{"input":[' + b"1," * 20_000_000, 1)
BLOCKING = b"POST /v1/data/authz/allow HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BLOCKED),
    BLOCKED,
)
"""A request that keeps a thread busy for some tenths of a second, and is refused."""
LATE_SECONDS = 0.5


def late(plane: DataPlane, job: BaselineJob) -> None:
    time.sleep(LATE_SECONDS)
    plane.answer(job)


def test_every_series_exists_from_the_start_and_carries_the_rollout(start: Any):
    plane = start()
    plane.flags(rollout="shop/gateway", percentage=25, revision=7)
    families = {family.name: family for family in text_string_to_metric_families(plane.server.metrics().decode())}
    samples = [sample for family in families.values() for sample in family.samples]
    assert {sample.labels.get(names.LABEL_ROLLOUT) for sample in samples} == {"shop/gateway"}
    assert len(samples) == len({(sample.name, *sorted(sample.labels.items())) for sample in samples})
    for name in vars(names):
        if name.startswith("METRIC_"):
            assert getattr(names, name).removesuffix("_total") in families, name
    results = {(s.labels["implementation"], s.labels["result"]) for s in families["sark_requests"].samples}
    assert results == {(arm, result) for arm in ("rust", "python") for result in ("allow", "deny", "undefined", "error")}


def test_flags_are_shown(start: Any):
    plane = start()
    plane.flags(percentage=25, revision=7, cache=False)
    assert plane.metric("sark_flag_revision") == 7
    assert plane.metric("feature_flag_rollout_percentage", feature="rust_opa") == 25
    assert plane.metric("feature_flag_rollout_percentage", feature="rust_cache") == 0


def test_the_memory_of_policies_is_that_of_those_that_serve(start: Any, engine: Engine):
    plane = start()
    assert plane.metric("sark_policies_bytes") == engine.policies.memory_bytes > 0

    engine.replace_policies(
        Policies([("a.rego", "package a\nallow := true")], b'{"names": [%s]}' % b",".join([b'"name"'] * 999))
    )

    assert plane.metric("sark_policies_bytes") == engine.policies.memory_bytes > 20_000


def test_requests_evaluations_and_cache_operations_are_counted(start: Any):
    plane = start()
    for user in ("alice", "alice", "bob"):
        plane.ask("authz/allow", user)
    plane.ask("authz/reason", "bob")
    counted = {
        result: plane.metric("sark_requests_total", implementation="rust", result=result)
        for result in ("allow", "deny", "undefined")
    }
    assert counted == {"allow": 2, "deny": 1, "undefined": 1}
    assert plane.metric("opa_evaluation_total", implementation="rust", result="allow") == 1
    assert plane.metric("opa_evaluation_total", implementation="rust", result="deny") == 2
    assert plane.metric("cache_operations_total", implementation="rust", operation="get", result="hit") == 1
    assert plane.metric("cache_operations_total", implementation="rust", operation="set", result="ok") == 3
    assert plane.metric("sark_decision_cache_entries") == 3
    assert plane.metric("feature_flag_assignments_total", feature="rust_opa", implementation="rust") == 4
    assert plane.metric("sark_request_duration_seconds_count", implementation="rust") == 4


def test_the_cache_counts_what_it_did_and_anew_for_each_rollout(start: Any):
    plane = start()
    for body in (b'{"input": {"a": 1, "b": 2}}', b'{"input": {"b": 2, "a": 1}}', b'{"input": {"a": 1, "b": 2}}'):
        assert plane.request("POST", "/v1/data/authz/allow", body).json == {"result": False}
    counted = {
        name: plane.metric(f"sark_cache_{name}_total")
        for name in ("hits", "canonical_hits", "misses", "flights_joined", "inserts", "evictions")
    }
    assert counted == {"hits": 1, "canonical_hits": 1, "misses": 1, "flights_joined": 0, "inserts": 2, "evictions": 0}
    plane.flags(rollout="shop/next")
    assert plane.metric("sark_cache_hits_total", rollout="shop/next") == 0
    plane.request("POST", "/v1/data/authz/allow", b'{"input": {"a": 1, "b": 2}}')
    assert plane.metric("sark_cache_hits_total", rollout="shop/next") == 1


def test_buckets_bracket_the_limits_rollouts_are_judged_by(start: Any):
    edges = {
        float(dict(labels)["le"])
        for (name, labels) in start().samples()
        if name == "sark_request_duration_seconds_bucket" and ("implementation", "rust") in labels
    }
    assert edges >= {0.0005, 0.00075, 0.005, 0.0075, 10.0, float("inf")}
    assert len(edges) == 28


def test_a_new_rollout_counts_anew_and_keeps_the_embedders_gauges(start: Any):
    plane = start()
    plane.ask("authz/allow")
    plane.server.set_gauge("sark_opa_up", "OPA answers.", 1.0)
    plane.server.inc_counter("sark_things_total", "Things.", 3)
    plane.flags(rollout="shop/next")
    assert plane.metric("sark_requests_total", rollout="shop/next", implementation="rust", result="allow") == 0
    assert plane.metric("sark_opa_up", rollout="shop/next") == 1
    assert plane.metric("sark_things_total", rollout="shop/next") == 0
    plane.flags(rollout="shop/next", revision=2, percentage=50)
    plane.server.inc_counter("sark_things_total", "Things.")
    assert plane.metric("sark_things_total", rollout="shop/next") == 1


def test_observations_of_the_baseline_are_recorded_under_its_name(start: Any):
    plane = start()
    plane.server.observe_evaluation(0.002, "allow")
    plane.server.observe_evaluation(0.5, "error", "timeout")
    plane.server.observe_evaluation(0.5, "error", "never heard of")
    plane.server.observe_cache("get", "hit", 0.0001)
    assert plane.metric("opa_evaluation_duration_seconds_count", implementation="python") == 3
    assert plane.metric("opa_evaluation_errors_total", implementation="python", error_type="timeout") == 1
    assert plane.metric("opa_evaluation_errors_total", implementation="python", error_type="other") == 1
    assert plane.metric("cache_operations_total", implementation="python", operation="get", result="hit") == 1
    assert plane.metric("cache_operation_duration_seconds_sum", implementation="python", operation="get") == pytest.approx(
        0.0001
    )


def test_evaluations_in_python_count_for_the_rust_arm(start: Any, engine: Engine):
    plane = start()
    engine.evaluate("authz/allow", b"{}")
    with pytest.raises(EvaluationError):
        engine.evaluate("authz/conflict", b"{}")
    assert plane.metric("opa_evaluation_total", implementation="rust", result="deny") == 1
    assert plane.metric("opa_evaluation_errors_total", implementation="rust", error_type="evaluation") == 1


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("set_gauge", ("opa_up", "x", 1.0)),
        ("set_gauge", ("sark_Ä", "x", 1.0)),
        ("set_gauge", ("sark_requests_total", "x", 1.0)),
        ("inc_counter", ("sark_things", "x")),
        ("observe_evaluation", (0.1, "undefined")),
        ("observe_evaluation", (-0.1, "allow")),
        ("observe_cache", ("put", "ok", 0.1)),
        ("observe_cache", ("get", "maybe", 0.1)),
    ],
)
def test_what_cannot_be_recorded_is_refused(start: Any, call: str, arguments: tuple[Any, ...]):
    plane = start()
    with pytest.raises(ValueError, match=r"must|sark_requests_total"):
        getattr(plane.server, call)(*arguments)


def test_the_process_is_described(start: Any):
    plane = start()
    process = psutil.Process(os.getpid())
    assert plane.metric("process_resident_memory_bytes") == pytest.approx(process.memory_info().rss, rel=0.2)
    assert plane.metric("process_start_time_seconds") == pytest.approx(process.create_time(), abs=2)
    assert 0 < plane.metric("process_cpu_seconds_total") <= sum(process.cpu_times()[:2]) + 0.1
    assert plane.metric("process_open_fds") >= 3


SUMS: Final = ("sark_request_duration_seconds_sum", "opa_evaluation_duration_seconds_sum")


def numbered(number: int) -> bytes:
    """Return a question that no other number has."""
    body = b'{"input":%d}' % number
    return b"POST /v1/data/authz/allow HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def test_the_time_of_a_request_is_counted_from_its_last_byte(start: Any):
    # Given: questions that come in one piece, none of them asked before
    plane = start()
    count, numbers = 50, itertools.count()

    def waited() -> float:
        """Return how many times as long as their evaluations the requests of one connection took."""
        before = [plane.metric(name, implementation="rust") for name in SUMS]
        with socket.create_connection(("127.0.0.1", plane.port), timeout=20) as client:
            client.sendall(b"".join(numbered(next(numbers)) for _ in range(count)))
            received = b""
            while received.count(b'"result"') < count:
                received += client.recv(1 << 16)
        requests, evaluations = (
            plane.metric(name, implementation="rust") - earlier for name, earlier in zip(SUMS, before, strict=True)
        )
        return requests / evaluations

    # When: they are answered one after the other
    # Then: the later ones have waited for the earlier ones, whose evaluations are most of what was done. Where something
    # else took the processor in the midst of an evaluation, that one is most of it: then once more.
    assert any(waited() > 15 for _ in range(20))
    asked = plane.metric("sark_request_duration_seconds_count", implementation="rust")
    assert asked == plane.metric("opa_evaluation_duration_seconds_count", implementation="rust")
    assert asked % count == 0


def test_a_request_is_not_charged_with_an_answer_that_came_from_elsewhere(start: Any):
    # Given: a question that is handed on and answered after a while, and a question of the rust arm behind it
    plane = start(answer=late)
    handed_on = b"GET /v1/data/authz/allow?metrics HTTP/1.1\r\n\r\n"
    client = socket.create_connection(("127.0.0.1", plane.port), timeout=20)
    # When: both come in one piece
    client.sendall(handed_on + numbered(1))
    received = b""
    while received.count(b'"result"') < 2:
        received += client.recv(1 << 16)
    client.close()
    # Then: the first one's time is in no arm
    assert plane.metric("sark_request_duration_seconds_count", implementation="rust") == 1
    assert plane.metric("sark_request_duration_seconds_sum", implementation="rust") < LATE_SECONDS / 2


def test_the_time_of_a_request_is_counted_until_its_answer_looks_as_it_should(start: Any, engine: Engine):
    # Given: a large document
    plane = start()
    large = json.dumps({"large": [{"a": [1, 2, {"b": "c"}]}] * 100_000})
    engine.replace_policies(Policies([("a.rego", "package a\nallow := true\n")], large.encode()))
    assert plane.request("GET", "/v1/data/large").status == 200
    before = plane.metric("sark_request_duration_seconds_sum", implementation="rust")
    # When: it is asked for again, indented
    began = time.perf_counter()
    assert plane.request("GET", "/v1/data/large?pretty").status == 200
    took = time.perf_counter() - began
    # Then: most of the client's time is the request's
    counted = plane.metric("sark_request_duration_seconds_sum", implementation="rust") - before
    assert took / 4 < counted < took


def test_the_time_of_a_request_goes_on_until_its_thread_comes_to_what_another_evaluated(start: Any, engine: Engine):
    # Given: one thread, and a question that is evaluated on the pool of long ones
    engine.replace_policies(Policies([("slow.rego", SLOW)]))
    plane = start(workers=1, inline_evaluation_seconds=0.001, max_body_bytes=64 << 20)
    numbers = itertools.count()

    def ask() -> None:
        assert plane.request("POST", "/v1/data/slow/many", b'{"input":%d}' % next(numbers)).status == 200

    def counted() -> tuple[float, float, float]:
        return (
            plane.metric("sark_request_duration_seconds_sum", implementation="rust"),
            plane.metric("opa_evaluation_duration_seconds_sum", implementation="rust"),
            plane.metric("sark_evaluations_moved_total"),
        )

    for _ in range(3):
        ask()
    for _ in range(50):
        # When: the thread is busy while that is evaluated
        with socket.create_connection(("127.0.0.1", plane.port), timeout=20) as blocking:
            blocking.sendall(BLOCKING[:-1])
            requests, evaluations, moved = counted()
            asking = threading.Thread(target=ask)
            began = time.perf_counter()
            asking.start()
            while plane.metric("sark_evaluations_moved_total") == moved and asking.is_alive():
                time.sleep(0.001)
            blocking.sendall(BLOCKING[-1:])
            asking.join()
            took = time.perf_counter() - began
            assert blocking.recv(1 << 16).startswith(b"HTTP/1.1 400 ")
        if counted()[1] - evaluations < took / 2 and counted()[0] - requests > took * 2 / 3:
            return
    # Then: it happens that the wait for the thread is most of the request's time, as it is of baseline's
    pytest.fail("no wait for the thread was counted")


def test_a_thread_says_how_late_it_is(start: Any):
    # Given: one thread
    plane = start(workers=1, max_body_bytes=64 << 20)
    before = plane.metric("sark_thread_lateness_seconds_sum")
    # When: it is busy for a while
    with socket.create_connection(("127.0.0.1", plane.port), timeout=20) as blocking:
        blocking.sendall(BLOCKING[:-1])
        time.sleep(0.1)
        took = time.perf_counter()
        blocking.sendall(BLOCKING[-1:])
        assert blocking.recv(1 << 16).startswith(b"HTTP/1.1 400 ")
        took = time.perf_counter() - took
    while (late := plane.metric("sark_thread_lateness_seconds_sum") - before) < took / 4:
        time.sleep(0.01)
    # Then: it was as late as that
    assert late < 2 * took


def test_requests_passed_on_that_nobody_answers_are_counted(start: Any):
    # Given: room for one request, and nobody who takes it
    plane = start(answer=None, baseline_queue=1, baseline_timeout_seconds=0.5)
    replies: list[int] = []
    waiting = threading.Thread(target=lambda: replies.append(plane.request("GET", "/v1/data/authz/allow?metrics").status))
    waiting.start()
    while plane.metric("sark_baseline_jobs_queued") < 1:
        time.sleep(0.01)
    # When: another one comes, and the first one waits in vain
    assert plane.request("GET", "/v1/data/authz/allow?metrics").status == 503
    waiting.join()
    assert replies == [500]
    # Then
    assert plane.metric("sark_passed_on_unanswered_total", reason="queue") == 1
    assert plane.metric("sark_passed_on_unanswered_total", reason="no_answer") == 1


def test_a_client_that_hangs_up_before_anybody_answers_is_counted(start: Any):
    # Given: a request that is handed on, and nobody who takes it
    plane = start(answer=None)
    with socket.create_connection(("127.0.0.1", plane.port), timeout=20) as client:
        client.sendall(b"GET /v1/data/authz/allow?metrics HTTP/1.1\r\n\r\n")
        while plane.metric("sark_baseline_jobs_queued") < 1:
            time.sleep(0.01)
    # When: the client has gone, then it is counted
    while plane.metric("sark_passed_on_unanswered_total", reason="client_gone") < 1:
        time.sleep(0.01)
    assert plane.metric("sark_passed_on_unanswered_total", reason="no_answer") == 0


def test_only_a_question_that_is_turned_away_counts_as_one(start: Any):
    # Given: somebody who answers everything 503
    plane = start(lambda plane, job: plane.server.complete(job.id, 503, b"{}", outcome="error"))
    plane.flags(percentage=0)
    # When: one request is passed on, and another one is a question of an arm
    assert plane.request("GET", "/v1/data/authz/allow?metrics").status == 503
    passed_on = plane.metric("sark_requests_shed_total", reason="breaker")
    assert plane.ask("authz/allow").status == 503
    # Then
    assert (passed_on, plane.metric("sark_requests_shed_total", reason="breaker")) == (0, 1)
