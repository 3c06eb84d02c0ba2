from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from sark_engine import Engine, Policies


def _described(job: Any) -> tuple[str, str, str, str]:
    return job.arm, job.opa, job.cache, job.fallback


@pytest.mark.parametrize(
    ("opa", "cache", "percentage", "expected"),
    [
        (True, True, 100, None),
        (True, False, 100, ("rust", "rust", "redis", "")),
        (False, True, 100, ("rust", "http", "rust", "")),
        (False, False, 100, ("python", "http", "redis", "")),
        (True, True, 0, ("python", "http", "redis", "")),
    ],
)
def test_each_combination_of_flags_hands_over_what_has_not_moved(
    start: Any, opa: bool, cache: bool, percentage: int, expected: tuple[str, ...] | None
):
    plane = start()
    plane.flags(percentage=percentage, opa=opa, cache=cache)
    assert plane.ask("authz/allow").json == {"result": True}
    assert [_described(job) for job in plane.jobs] == ([] if expected is None else [expected])
    arm = "rust" if expected is None else expected[0]
    assert plane.metric("sark_requests_total", implementation=arm, result="allow") == 1


def test_a_job_carries_the_request(start: Any):
    plane = start()
    plane.flags(percentage=0)
    plane.request("POST", "/v1/data/auth%7A/allow?pretty=true", b'{"input": 1}')
    plane.request("GET", "/v1/data/authz/allow?input=%31")
    plane.request("POST", "/v0/data/authz/allow", b" [1] ")
    assert [(job.path, job.body, job.query, job.method) for job in plane.jobs] == [
        ("authz/allow", b'{"input":1}', "", ""),
        ("authz/allow", b'{"input":1}', "", ""),
        ("authz/allow", b'{"input":[1]}', "", ""),
    ]
    assert plane.completed == [True, True, True]


def test_what_only_opa_understands_is_handed_over_whole_and_is_in_no_arm(start: Any):
    plane = start()
    sent = {"Content-Type": "application/yaml", "Accept-Encoding": "gzip"}
    plane.request("POST", "/v1/data/authz/allow", b"input: 1", sent)
    plane.request("POST", "/v1/data/authz/allow?metrics=true", b"{}")
    plane.request("GET", "/v1/policies/a%2Fb?pretty")
    plane.request("GET", "/v1/data/a%2Fb")
    assert [(job.method, job.target, job.body) for job in plane.jobs] == [
        ("POST", "/v1/data/authz/allow", b"input: 1"),
        ("POST", "/v1/data/authz/allow?metrics=true", b"{}"),
        ("GET", "/v1/policies/a%2Fb?pretty", b""),
        ("GET", "/v1/data/a%2Fb", b""),
    ]
    assert dict(plane.jobs[0].headers) == sent
    names = {"sark_requests_total", "implementation_fallback_total"}
    counted = [value for (name, _), value in plane.samples().items() if name in names]
    assert set(counted) == {0}


def test_writes_of_data_are_handed_over_only_when_they_are_taken(start: Any):
    def answer(plane: Any, job: Any) -> None:
        plane.completed.append(plane.server.complete(job.id, 204, b"", outcome="error"))

    plane = start(answer, writes=True)
    assert plane.request("PUT", "/v1/data/users/a?metrics", b'{"a":1}', {"If-None-Match": "*"}).status == 204
    assert plane.request("PATCH", "/v1/data/users", b"[]").status == 204
    reply = plane.request("DELETE", "/v1/data/users/a")
    # What has no body tells no length, or the next answer on the connection would be looked for in the wrong place.
    assert (reply.status, reply.body, set(reply.headers) & {"content-type", "content-length"}) == (204, b"", set())
    assert [(job.method, job.target, job.body) for job in plane.jobs] == [
        ("PUT", "/v1/data/users/a?metrics", b'{"a":1}'),
        ("PATCH", "/v1/data/users", b"[]"),
        ("DELETE", "/v1/data/users/a", b""),
    ]
    assert ("If-None-Match", "*") in plane.jobs[0].headers
    assert plane.request("PUT", "/v1/policies/a", b"package a").status == 403
    # And without it nothing is
    plain = start(answer)
    assert [plain.request(method, "/v1/data/users", b"[]").status for method in ("PUT", "PATCH", "DELETE")] == [403] * 3
    assert plain.jobs == []


def test_a_decision_of_http_opa_is_kept_in_process_and_found_again(start: Any):
    plane = start()
    plane.flags(opa=False)
    replies = [plane.ask("authz/allow").body for _ in range(3)]
    assert replies == [b'{"result":true}\n'] * 3
    assert len(plane.jobs) == 1
    gets = {
        result: plane.metric("cache_operations_total", implementation="rust", operation="get", result=result)
        for result in ("hit", "miss")
    }
    assert gets == {"hit": 2, "miss": 1}


def test_a_decision_is_found_again_only_while_the_same_one_decides(start: Any):
    # Given that OPA says otherwise than the engine, and a decision of the engine is kept
    plane = start(lambda plane, job: plane.server.complete(job.id, 200, b'{"result":false}\n', outcome="deny"))
    plane.flags()
    assert [plane.ask("authz/allow").json for _ in range(2)] == [{"result": True}] * 2

    # When the evaluation is given up, and the cache in process is not
    plane.flags(opa=False)
    given_up = [plane.ask("authz/allow").json for _ in range(2)]

    # Then OPA decides, and what it decided is kept for itself alone
    assert given_up == [{"result": False}] * 2
    assert len(plane.jobs) == 1
    plane.flags()
    assert plane.ask("authz/allow").json == {"result": True}
    assert len(plane.jobs) == 1


@pytest.mark.parametrize(
    ("body", "outcome", "cache_control"),
    [
        (b'{"result":true}\n', "error", ""),
        (b'{"result":true}\n', "allow", "no-store"),
        (b"not JSON", "allow", ""),
        (b"{}\n", "allow", ""),
    ],
)
def test_what_is_no_decision_or_must_not_be_kept_is_not(start: Any, body: bytes, outcome: str, cache_control: str):
    plane = start(lambda plane, job: plane.server.complete(job.id, 200, body, outcome=outcome, cache_control=cache_control))
    plane.flags(opa=False)
    for _ in range(2):
        assert plane.ask("authz/allow").headers.get("cache-control", "") == cache_control
    assert len(plane.jobs) == 2


def test_a_path_that_reaches_a_clock_is_not_kept_whoever_evaluates(start: Any):
    plane = start()
    plane.flags(opa=False)
    for _ in range(2):
        plane.ask("authz/clock")
    assert len(plane.jobs) == 2


def test_what_the_rust_arm_cannot_decide_baseline_answers_and_rust_has_failed(start: Any):
    plane = start()
    assert plane.ask("authz/conflict").json == {"result": True}
    assert [_described(job) for job in plane.jobs] == [("rust", "http", "redis", "evaluation")]
    assert plane.metric("implementation_fallback_total", feature="rust_opa", error_type="evaluation") == 1
    assert plane.metric("sark_requests_total", implementation="rust", result="error") == 1
    assert plane.metric("sark_requests_total", implementation="rust", result="allow") == 0
    assert plane.metric("sark_requests_total", implementation="python", result="allow") == 0


def test_an_input_that_the_engine_cannot_hold_falls_back_and_is_not_the_clients_mistake(start: Any):
    plane = start()
    assert plane.request("POST", "/v1/data/authz/allow", b'{"input": {"share": 1e-999}}').json == {"result": True}
    assert [_described(job) for job in plane.jobs] == [("rust", "http", "redis", "unsupported_input")]
    assert plane.metric("implementation_fallback_total", feature="rust_opa", error_type="unsupported_input") == 1


def test_an_evaluation_that_runs_too_long_falls_back(start: Any, engine: Engine):
    loops = "count([1 | some i in numbers.range(1, 9000); some j in numbers.range(1, 9000); i == j])"
    engine.replace_policies(Policies([("p.rego", f"package p\nslow := {loops}")]))
    plane = start()
    assert plane.ask("p/slow").json == {"result": True}
    assert [job.fallback for job in plane.jobs] == ["timeout"]
    assert plane.metric("opa_evaluation_errors_total", implementation="rust", error_type="timeout") == 1


def test_an_injected_error_falls_back_and_its_time_is_known(start: Any):
    plane = start()
    assert plane.server.first_fault_at is None
    plane.server.set_faults(rust_error_ratio=1.0)
    began = time.time()
    assert plane.ask("authz/allow").json == {"result": True}
    assert began <= plane.server.first_fault_at <= time.time()
    assert [_described(job) for job in plane.jobs] == [("rust", "http", "redis", "evaluation")]
    plane.server.set_faults()
    assert plane.ask("authz/allow").json == {"result": True}
    assert len(plane.jobs) == 1


def test_injected_latency_delays_the_rust_arm_and_nobody_else(start: Any):
    plane = start()
    plane.server.set_faults(rust_latency_seconds=0.2)
    slow = threading.Thread(target=plane.ask, args=("authz/allow",))
    slow.start()
    while plane.server.first_fault_at is None:
        time.sleep(0.001)
    plane.flags(percentage=0)
    # The one serving thread is free while the delayed request waits.
    assert plane.ask("authz/allow").json == {"result": True}
    assert plane.metric("sark_request_duration_seconds_count", implementation="rust") == 0
    slow.join()
    assert plane.metric("sark_request_duration_seconds_sum", implementation="rust") >= 0.2
    assert plane.metric("sark_requests_total", implementation="rust", result="allow") == 1


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_an_impossible_error_ratio_is_refused(start: Any, ratio: float):
    with pytest.raises(ValueError, match="ratio"):
        start().server.set_faults(rust_error_ratio=ratio)
    with pytest.raises(ValueError, match="panic ratio"):
        start().server.set_faults(rust_panic_ratio=ratio)


def test_a_full_queue_refuses_at_once_and_counts_as_an_error_of_that_arm(start: Any):
    plane = start(answer=None, baseline_queue=2)
    plane.flags(percentage=0)
    waiting = [threading.Thread(target=plane.ask, args=("authz/allow",)) for _ in range(2)]
    for thread in waiting:
        thread.start()
    while plane.metric("sark_baseline_jobs_queued") < 2:
        time.sleep(0.01)
    refused = plane.ask("authz/allow")
    assert (refused.status, refused.headers["retry-after"], refused.json["code"]) == (503, "1", "internal_error")
    assert plane.metric("sark_requests_total", implementation="python", result="error") == 1
    for job in plane.server.take_jobs():
        plane.answer(job)
    for thread in waiting:
        thread.join()
    assert plane.metric("sark_requests_total", implementation="python", result="allow") == 2


def test_a_job_nobody_answers_in_time_is_an_internal_error_and_never_an_allow(start: Any):
    plane = start(answer=None, baseline_timeout_seconds=0.05)
    plane.flags(percentage=0)
    reply = plane.ask("authz/allow")
    assert (reply.status, reply.json["code"]) == (500, "internal_error")
    assert plane.server.take_jobs() == []
    assert plane.metric("sark_requests_total", implementation="python", result="error") == 1


def test_an_answer_that_comes_too_late_or_twice_is_not_taken(start: Any):
    plane = start(answer=None, baseline_timeout_seconds=0.2)
    plane.flags(percentage=0)
    client = threading.Thread(target=plane.ask, args=("authz/allow",))
    client.start()
    while not (jobs := plane.server.take_jobs()):
        time.sleep(0.001)
    assert plane.server.complete(jobs[0].id, 200, b"{}\n", outcome="undefined") is True
    assert plane.server.complete(jobs[0].id, 200, b"{}\n", outcome="undefined") is False
    assert plane.server.complete(10**9, 200, b"{}\n", outcome="undefined") is False
    client.join()


@pytest.mark.parametrize(
    ("status", "outcome", "message"), [(99, "allow", "status"), (600, "allow", "status"), (200, "yes", "outcome")]
)
def test_an_answer_that_makes_no_sense_is_refused(start: Any, status: int, outcome: str, message: str):
    with pytest.raises(ValueError, match=message):
        start().server.complete(1, status, b"{}", outcome=outcome)


def test_an_engine_that_fails_in_the_embedders_hands_counts_as_a_fallback(start: Any):
    plane = start(lambda plane, job: plane.server.complete(job.id, 200, b'{"result":true}\n', outcome="error"))
    plane.flags(cache=False)
    assert plane.ask("authz/allow").json == {"result": True}
    assert plane.metric("implementation_fallback_total", feature="rust_opa", error_type="evaluation") == 1
    assert plane.metric("sark_requests_total", implementation="rust", result="error") == 1


@pytest.mark.parametrize("flags", [{}, {"percentage": 0}, {"opa": False}, {"cache": False}])
def test_a_path_left_to_baseline_at_load_is_in_no_arm(start: Any, flags: dict[str, Any]):
    plane = start()
    plane.flags(**flags)
    assert plane.ask("authz/signed").json == {"result": True}
    [job] = plane.jobs
    assert (job.opa, job.cache, job.fallback) == ("http", "redis", "")
    assert plane.metric("sark_baseline_only_requests_total", result="allow") == 1
    in_arms = {"sark_requests_total", "sark_request_duration_seconds_count", "implementation_fallback_total"}
    counted = [value for (name, _), value in plane.samples().items() if name in in_arms | {"feature_flag_assignments_total"}]
    assert set(counted) == {0}


def test_a_path_left_to_baseline_tells_errors_too_and_is_no_match_for_the_shadow(start: Any):
    plane = start(lambda plane, job: plane.server.complete(job.id, 500, b"{}\n", outcome="error"))
    plane.server.set_flags(
        rollout="shop/gateway", revision=2, percentage=100, salt="salt", rust_opa=True, rust_cache=True, shadow=100
    )
    assert plane.ask("authz/signed").status == 500
    assert plane.metric("sark_baseline_only_requests_total", result="error") == 1
    assert [one.fallback for one in plane.server.take_drawn()] == ["unsupported_builtin"]


def test_a_path_that_the_next_policies_let_the_engine_answer_is_in_the_arms_again(start: Any, engine: Engine):
    plane = start()
    plane.ask("authz/signed")
    engine.replace_policies(Policies([("authz.rego", "package authz\nsigned := true")]))
    assert plane.ask("authz/signed").json == {"result": True}
    assert len(plane.jobs) == 1
    assert plane.metric("sark_requests_total", implementation="rust", result="allow") == 1
