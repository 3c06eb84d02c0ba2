"""An evaluation that takes long holds up nobody but those who asked for it."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sark_engine import Engine, Policies

SLOW = """package slow
product := count([1 | some i in numbers.range(1, input.n); some j in numbers.range(1, input.n); i == j])
"""
CHEAP = "package authz\nallow if input.user.id == data.admin"
LONG = 450


@pytest.fixture
def engine() -> Engine:
    return Engine(
        Policies([("slow.rego", SLOW), ("authz.rego", CHEAP)], b'{"admin": "alice"}'), evaluation_timeout_seconds=60.0
    )


def asked(port: int, path: str, inputs: Iterator[object], stopping: threading.Event, counts: list[int]) -> None:
    """Ask until told to stop; count the answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for document in inputs:
        connection.request("POST", f"/v1/data/{path}", body=json.dumps({"input": document}))
        response = connection.getresponse()
        body = json.loads(response.read())
        assert (response.status, "result" in body) == (200, True), body
        counts.append(1)
        if stopping.is_set():
            break
    connection.close()


def numbers(base: int) -> Iterator[int]:
    number = base * 1_000_000
    while True:
        number += 1
        yield number


@contextmanager
def asking(port: int, path: str, *, clients: int, changes: bool, document: dict[str, Any]) -> Iterator[list[int]]:
    """Clients that ask one question again and again; with `changes`, each time another one."""
    stopping, counts = threading.Event(), list[int]()
    threads = []
    for client in range(clients):
        inputs = ({**document, "number": number if changes else 0} for number in numbers(client))
        threads.append(threading.Thread(target=asked, args=(port, path, inputs, stopping, counts)))
        threads[-1].start()
    try:
        yield counts
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def rates(port: int, seconds: float) -> tuple[int, int]:
    """How many cached and how many cheap new questions are answered in that time."""
    alice = {"user": {"id": "alice"}}
    with (
        asking(port, "authz/allow", clients=2, changes=False, document=alice) as cached,
        asking(port, "authz/allow", clients=2, changes=True, document=alice) as cheap,
    ):
        before = len(cached), len(cheap)
        time.sleep(seconds)
        return len(cached) - before[0], len(cheap) - before[1]


def beside_slow_questions(plane: Any) -> tuple[int, int]:
    """As rates, while several clients ask slow questions all the time."""
    with asking(plane.port, "slow/product", clients=4, changes=True, document={"n": LONG}) as slow:
        while not slow:
            time.sleep(0.01)
        return rates(plane.port, 1.5)


def test_slow_questions_do_not_hold_up_cached_and_cheap_ones(start: Any):
    # Given what is answered beside slow questions that are all evaluated on the serving thread
    held_up = beside_slow_questions(start(answer=None, inline_evaluation_seconds=60.0))

    # When they are evaluated on threads of their own
    plane = start(answer=None)
    beside = beside_slow_questions(plane)

    # Then far more of the others are answered. How many beside none at all depends on who else wants this machine's cores.
    assert beside[0] > 3 * held_up[0], (held_up, beside)
    assert beside[1] > 3 * held_up[1], (held_up, beside)
    assert plane.metric("sark_evaluations_moved_total") > 0
    assert plane.jobs == []


def test_a_cheap_question_is_answered_while_a_slow_one_is_evaluated(start: Any):
    plane = start(answer=None)
    finished = threading.Event()
    replies: list[Any] = []

    def ask() -> None:
        body = json.dumps({"input": {"n": 1_200}}).encode()
        replies.append(plane.request("POST", "/v1/data/slow/product", body))
        finished.set()

    thread = threading.Thread(target=ask)
    thread.start()
    while plane.metric("sark_evaluations_moved_total") == 0:
        time.sleep(0.001)
    answered = 0
    while not finished.is_set():
        assert plane.ask("authz/allow").json == {"result": True}
        answered += 1
    thread.join()
    assert replies[0].json == {"result": 1_200}
    assert answered > 3


def test_a_slow_decision_is_kept_and_counted_once(start: Any):
    plane = start(answer=None)
    body = json.dumps({"input": {"n": LONG}}).encode()
    answers = [plane.request("POST", "/v1/data/slow/product", body).json for _ in range(3)]
    assert answers == [{"result": LONG}] * 3
    assert plane.metric("sark_evaluations_moved_total") == 1
    assert plane.metric("opa_evaluation_total", implementation="rust", result="deny") == 1
    assert plane.metric("cache_operations_total", implementation="rust", operation="get", result="hit") == 2


@pytest.mark.parametrize("workers", [1, 3])
def test_of_those_who_ask_the_same_at_once_one_evaluates(start: Any, workers: int):
    plane = start(answer=None, workers=workers)
    body = json.dumps({"input": {"n": 1_500}}).encode()
    replies: list[Any] = []
    threads = [
        threading.Thread(target=lambda: replies.append(plane.request("POST", "/v1/data/slow/product", body))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [reply.json for reply in replies] == [{"result": 1_500}] * 8
    assert plane.metric("opa_evaluation_total", implementation="rust", result="deny") == 1
    assert plane.metric("sark_requests_total", implementation="rust", result="deny") == 8


def test_a_path_that_becomes_fast_comes_back(start: Any):
    # Generous: what is fast must be fast also on a busy machine.
    plane = start(answer=None, inline_evaluation_seconds=0.05)

    def ask(n: int) -> None:
        assert plane.request("POST", "/v1/data/slow/product", json.dumps({"input": {"n": n}}).encode()).status == 200

    ask(1_500)
    assert plane.metric("sark_evaluations_moved_total") == 1
    for n in range(1, 61):
        ask(n)
    moved = plane.metric("sark_evaluations_moved_total")
    for n in range(70, 80):
        ask(n)
    assert plane.metric("sark_evaluations_moved_total") == moved


def test_evaluations_beyond_the_queue_are_shed_and_never_allowed(start: Any):
    plane = start(answer=None, evaluation_threads=1, evaluation_queue=1)
    replies: list[Any] = []

    def ask(number: int) -> None:
        body = json.dumps({"input": {"n": 1_500, "number": number}}).encode()
        replies.append(plane.request("POST", "/v1/data/slow/product", body))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shed = [reply for reply in replies if reply.status == 503]
    assert shed
    assert {reply.status for reply in replies} == {200, 503}
    assert {reply.headers["retry-after"] for reply in shed} == {"1"}
    assert all(reply.json == {"result": 1_500} for reply in replies if reply.status == 200)
    assert plane.metric("sark_requests_total", implementation="rust", result="error") == len(shed)
