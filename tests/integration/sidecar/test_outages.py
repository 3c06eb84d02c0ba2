"""OPA and Redis die, hang and come back; SIGTERM comes while requests are under way."""

from __future__ import annotations

import http.client
import json
import math
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from sark_api.assignment import in_new_arm
from sark_e2e.deadline import eventually
from sark_e2e.opa import OpaServer
from sark_e2e.probe import accepts
from sark_e2e.process import Process
from sark_e2e.redis import RedisServer

from .conftest import RunningSidecar, StartSidecar, request

_numbers = count()


def fresh_question() -> dict[str, Any]:
    """A question nobody has asked yet, whose answer is an allow."""
    user = {"id": f"user-9{next(_numbers):05d}", "tenant": "acme", "roles": ["developer"]}
    return {"user": user, "action": "invoke", "tool": {"name": "read_ticket", "tenant": "acme"}}


def allows(answer: tuple[int, Any]) -> bool:
    return answer[0] == 200 and answer[1]["result"]["allow"] is True


@pytest.fixture
def sidecar(start_sidecar: StartSidecar) -> RunningSidecar:
    """On baseline, with little patience."""
    return start_sidecar(opa={"timeout": "500ms"})


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_without_opa_there_is_an_error_and_never_an_allow(sidecar: RunningSidecar, opa: OpaServer, fault: signal.Signals):
    known = fresh_question()
    assert allows(sidecar.decide(known))
    sidecar.await_kept(known)

    # When OPA is killed, or hangs
    broken(opa, fault)

    # Then new questions get an error in OPA's shape, and are counted as errors
    for _ in range(5):
        status, answer = sidecar.decide(fresh_question())
        assert (status, answer.get("code")) == (500, "internal_error"), answer
    assert sidecar.metric("sark_requests_total", implementation="python", result="error") == 5
    kind = "connection" if fault is signal.SIGKILL else "timeout"
    assert sidecar.metric("opa_evaluation_errors_total", implementation="python", error_type=kind) == 5
    # What was decided before is still known, and the sidecar says that OPA is away.
    assert allows(sidecar.decide(known))
    eventually(lambda: sidecar.get("/v1/status")["opa"]["problem"] != "", what="the report", seconds=20)
    assert sidecar.get("/flags")["baseline_policy_revision"] == ""

    # And once it is back, so are the answers
    mended(opa, fault)
    eventually(lambda: allows(sidecar.decide(fresh_question())), what="decisions again", seconds=20)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_without_redis_every_question_is_answered(sidecar: RunningSidecar, redis: RedisServer, fault: signal.Signals):
    assert allows(sidecar.decide(fresh_question()))
    broken(redis, fault)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(sidecar.decide, [fresh_question() for _ in range(100)]))
    assert all(map(allows, answers))
    assert sidecar.metric("sark_requests_total", result="error") == 0
    assert sidecar.metric("cache_operations_total", implementation="python", result="error") > 0
    assert sidecar.get("/v1/status")["cache"]["redis_problem"]

    # And once it is back, decisions are kept again
    mended(redis, fault)
    question = fresh_question()
    sidecar.await_kept(question)


def test_sigterm_loses_no_request_under_way(start_sidecar: StartSidecar):
    # Given more slow requests under way than OPA can evaluate at once, in both arms
    flags = {"rollout_percentage": 50, "rust_opa_enabled": True, "rust_cache_enabled": True}
    sidecar = start_sidecar(
        feature_flags=flags,
        opa={"timeout": "60s", "breaker": {"slow_after": "60s"}},
        limits={"evaluation_timeout": "60s", "drain_timeout": "90s"},
    )

    def ask(number: int) -> tuple[int, Any]:
        return sidecar.decide({"number": number, "user": {"id": f"u{number}"}}, path="slow/answer")

    with ThreadPoolExecutor(16) as threads:
        asked = [threads.submit(ask, number) for number in range(16)]
        # A request is counted when it ends: by then the others have long been sent.
        eventually(lambda: assigned(sidecar) >= 1, what="the first answer", seconds=60)
        assert not all(future.done() for future in asked)
        # When it is told to end
        sidecar.send(signal.SIGTERM)
        # Then each of them is answered
        answers = [future.result() for future in asked]
    assert answers == [(200, {"result": {"allow": True, "count": 1200}})] * 16
    assert sidecar.wait(seconds=120) == 0
    host, port = sidecar.data.removeprefix("http://").split(":")
    assert accepts(host, int(port))() is not None


@dataclass
class Caller:
    """Asks new questions on one connection, again and again, until it is told to leave or finds nobody there."""

    host: str
    port: int
    answers: list[int] = field(default_factory=list)
    lost: list[tuple[float, str]] = field(default_factory=list)
    """When each request without an answer had been written."""

    def run(self) -> None:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        told_to_leave = False
        while not told_to_leave:
            body = json.dumps({"input": fresh_question()})
            # Who came too late to connect has written nothing.
            written = math.inf
            try:
                connection.request("POST", "/v1/data/mcp/gateway/decision", body)
                written = time.monotonic()
                answer = connection.getresponse()
                allowed = bool(json.loads(answer.read())["result"]["allow"])
            except (OSError, http.client.HTTPException) as error:
                self.lost.append((written, repr(error)))
                break
            self.answers.append(answer.status if allowed else 0)
            told_to_leave = answer.getheader("connection") == "close"
        connection.close()


def test_sigterm_in_a_flood_loses_no_request_that_was_written_before(start_sidecar: StartSidecar):
    # Given clients that never stop, half of their subjects in each arm
    flags = {"rollout_percentage": 50, "rust_opa_enabled": True, "rust_cache_enabled": True}
    sidecar = start_sidecar(feature_flags=flags, opa={"timeout": "20s", "breaker": {"slow_after": "20s"}})
    host, port = sidecar.data.removeprefix("http://").split(":")
    callers = [Caller(host, int(port)) for _ in range(16)]
    threads = [threading.Thread(target=caller.run) for caller in callers]
    for thread in threads:
        thread.start()
    eventually(lambda: sum(len(caller.answers) for caller in callers) >= 300, what="a flood", seconds=60)
    # When it is told to end in the middle of it
    began = time.monotonic()
    sidecar.send(signal.SIGTERM)
    for thread in threads:
        thread.join()
    # Then every request that was written before is answered by its arm, and the process ends well
    assert [loss for caller in callers for loss in caller.lost if loss[0] < began] == []
    assert {status for caller in callers for status in caller.answers} == {200}
    assert sidecar.wait(seconds=30) == 0


def test_a_sidecar_that_drains_is_not_ready_and_ends_in_time(start_sidecar: StartSidecar, opa: OpaServer):
    # Given a request that OPA will not answer for long
    sidecar = start_sidecar(opa={"timeout": "30s"}, limits={"drain_timeout": "2s"})
    opa.send(signal.SIGSTOP)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(lambda: sidecar.decide(fresh_question()))
        missed = {"implementation": "python", "operation": "get", "result": "miss"}
        eventually(lambda: sidecar.metric("cache_operations_total", **missed) == 1, what="the request under way", seconds=20)
        assert not asked.done()
        sidecar.send(signal.SIGTERM)
        # Then the sidecar says so, and leaves when its time is up
        eventually(lambda: "shutting down" in str(ready(sidecar)), what="not ready", seconds=10)
        assert sidecar.wait(seconds=20) == 0
        opa.send(signal.SIGCONT)
        assert asked.exception() is not None or asked.result()[0] != 200


def assigned(sidecar: RunningSidecar) -> float:
    """Requests that have an arm."""
    return sidecar.metric("feature_flag_assignments_total", feature="rust_opa")


def ready(sidecar: RunningSidecar) -> object:
    try:
        return sidecar.get("/ready")
    except OSError as error:
        return error


def broken(process: Process, fault: signal.Signals) -> None:
    if fault is signal.SIGKILL:
        process.kill()
    else:
        process.send(fault)


def mended(process: Process, fault: signal.Signals) -> None:
    if fault is signal.SIGKILL:
        process.start()
    else:
        process.send(signal.SIGCONT)


@pytest.mark.timeout(200)
def test_the_new_arm_does_not_wait_for_a_baseline_that_hangs(start_sidecar: StartSidecar, opa: OpaServer):
    # Given half of the subjects in each arm, and an OPA that nobody gives up
    sidecar = start_sidecar(
        feature_flags={"rollout_percentage": 50, "rust_opa_enabled": True, "rust_cache_enabled": True},
        flags={"salt": "hang"},
        opa={"timeout": "60s", "breaker": {"failures": 1000, "slow_after": "60s"}},
    )
    assert allows(sidecar.decide(question_of(new_arm=False)))
    with ThreadPoolExecutor(16) as threads:
        # When OPA hangs, with more questions of the baseline under way than the engine has threads
        opa.send(signal.SIGSTOP)
        try:
            hung = [threads.submit(patient, sidecar, question_of(new_arm=False)) for _ in range(16)]
            asked_before = [question_of(new_arm=True) for _ in range(3)]
            assert all(allows(sidecar.decide(question)) for question in asked_before)
            # Then the new arm answers what it knows and what it does not, and none of the others has been answered yet
            for number in range(200):
                question = asked_before[number % 3] if number % 2 else question_of(new_arm=True)
                assert allows(sidecar.decide(question))
            assert not any(waiting.done() for waiting in hung)
        finally:
            opa.send(signal.SIGCONT)
        # And they are, once OPA goes on
        assert all(allows(waiting.result()) for waiting in hung)
    assert sidecar.metric("sark_requests_total", implementation="rust", result="error") == 0


def patient(sidecar: RunningSidecar, question: dict[str, Any]) -> tuple[int, Any]:
    return request(f"{sidecar.data}/v1/data/mcp/gateway/decision", {"input": question}, timeout=120)


def question_of(*, new_arm: bool) -> dict[str, Any]:
    """A question nobody has asked yet, of a subject of this arm."""
    while in_new_arm("hang", (question := fresh_question())["user"]["id"], 50) is not new_arm:
        pass
    return question
