"""Questions from inside the process: no listener, and otherwise as a request."""

from __future__ import annotations

import json
import os
import select
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sark_engine import Engine, Mailbox, PathError, Server

from sark_client import Client, QuestionError
from sark_e2e.forks import fork, fork_without_a_word

ALICE = b'{"input":{"user":{"id":"alice"}}}'
KEPT = (200, b'{"result":true}\n', "rust", "cache", "")


@pytest.fixture
def inside(start: Any) -> Any:
    return start(in_process=True)


def test_there_is_no_listener_and_decisions_are_evaluated_once(inside: Any):
    assert inside.port == 0
    assert inside.server.ask("authz/allow", ALICE) == (200, b'{"result":true}\n', "rust", "engine", "")
    assert inside.server.ask("authz/allow", ALICE) == KEPT
    assert inside.server.ask("authz/allow", b"") == (200, b'{"result":false}\n', "rust", "engine", "")
    assert inside.server.ask("authz/unknown", ALICE) == (200, b"{}\n", "rust", "engine", "")


def test_what_is_kept_counts_as_a_request_does(inside: Any):
    for _ in range(3):
        inside.server.ask("authz/allow", ALICE)
    assert inside.metric("sark_requests_total", implementation="rust", result="allow") == 3
    assert inside.metric("sark_request_duration_seconds_count", implementation="rust") == 3
    assert inside.metric("feature_flag_assignments_total", feature="rust_opa", implementation="rust") == 3
    gets = {
        result: inside.metric("cache_operations_total", implementation="rust", operation="get", result=result)
        for result in ("hit", "miss")
    }
    assert gets == {"hit": 2, "miss": 1}


@pytest.mark.parametrize(
    ("flags", "arm", "origins"),
    [
        ({}, "rust", ["engine", "cache"]),
        ({"cache": False}, "rust", ["engine", "engine"]),
        ({"opa": False}, "rust", ["opa", "cache"]),
        ({"opa": False, "cache": False}, "python", ["opa", "opa"]),
        ({"percentage": 0}, "python", ["opa", "opa"]),
    ],
)
def test_each_combination_of_flags_says_who_decided(inside: Any, flags: dict[str, Any], arm: str, origins: list[str]):
    inside.flags(**flags)
    told = [inside.server.ask("authz/allow", ALICE) for _ in range(2)]
    assert told == [(200, b'{"result":true}\n', arm, origin, "") for origin in origins]


def test_a_decision_kept_in_redis_is_told_apart(start: Any):
    plane = start(
        lambda plane, job: plane.server.complete(job.id, 200, b'{"result":true}\n', outcome="allow", was_kept=True),
        in_process=True,
    )
    plane.flags(percentage=0)
    assert plane.server.ask("authz/allow", ALICE)[3] == "cache"


def test_the_subject_is_in_the_arm_it_would_be_in_over_http(start: Any):
    plane = start(subject_header="X-Subject")
    plane.flags(percentage=50)
    arms = set()
    for number in range(40):
        body = json.dumps({"input": {"user": {"id": f"user-{number}"}}}).encode()
        before = plane.metric("sark_requests_total", implementation="rust", result="deny")
        plane.request("POST", "/v1/data/authz/allow", body)
        over_http = "rust" if plane.metric("sark_requests_total", implementation="rust", result="deny") > before else "python"
        assert plane.server.ask("authz/allow", body)[2] == over_http
        assert plane.server.ask("authz/allow", ALICE, f"user-{number}")[2] == over_http
        arms.add(over_http)
    assert arms == {"rust", "python"}


@pytest.mark.parametrize("name", ["José", "李雷", "Ω", "a\tb"])
def test_a_subject_is_in_one_arm_whether_a_client_a_caller_inside_or_the_input_names_it(start: Any, name: str):
    plane = start(subject_header="X-Subject")
    plane.flags(percentage=50)
    arms = set()
    with Client(f"http://127.0.0.1:{plane.port}", path="authz/allow", subject_header="X-Subject") as client:
        for subject in (f"{name}{number}" for number in range(40)):
            handed_over = len(plane.jobs)
            client.decide({}, subject=subject)
            arm = "python" if len(plane.jobs) > handed_over else "rust"
            assert plane.server.ask("authz/allow", b'{"input":{}}', subject)[2] == arm
            assert plane.server.ask("authz/allow", json.dumps({"input": {"user": {"id": subject}}}).encode())[2] == arm
            arms.add(arm)
    assert arms == {"rust", "python"}


@pytest.mark.parametrize("subject", ["a\nb", "a\0", "\x1fa", "a\x7fb"])
def test_a_subject_that_no_header_could_name_is_refused_by_both(start: Any, subject: str):
    plane = start(subject_header="X-Subject")
    with (
        Client(f"http://127.0.0.1:{plane.port}", path="authz/allow", subject_header="X-Subject") as client,
        pytest.raises(QuestionError, match="control character"),
    ):
        client.decide({}, subject=subject)
    status, body, arm, origin, _ = plane.server.ask("authz/allow", ALICE, subject)
    assert (status, arm, origin) == (400, "none", "")
    assert "control character" in json.loads(body)["message"]


@pytest.mark.parametrize("nobody", ["", " \t"])
def test_who_names_nobody_as_the_subject_leaves_it_to_the_input(inside: Any, engine: Engine, nobody: str):
    # Given users of both arms
    inside.flags(percentage=50)
    bodies = [json.dumps({"input": {"user": {"id": f"user-{number}"}}}).encode() for number in range(50)]
    arms = [inside.server.ask("authz/allow", body)[2] for body in bodies]
    assert set(arms) == {"rust", "python"}

    # When an empty subject is named, before a decision is kept and after, then each is in the arm of its own
    engine.cache_clear()
    for _ in range(2):
        assert [inside.server.ask("authz/allow", body, nobody)[2] for body in bodies] == arms


def test_what_the_engine_cannot_decide_falls_back(inside: Any):
    told = inside.server.ask("authz/conflict", ALICE)
    assert told == (200, b'{"result":true}\n', "rust", "opa", "evaluation")
    assert inside.metric("sark_requests_total", implementation="rust", result="error") == 1


def test_a_path_left_to_baseline_is_in_no_arm(inside: Any):
    assert inside.server.ask("authz/signed", ALICE) == (200, b'{"result":true}\n', "none", "opa", "")


@pytest.mark.parametrize("body", [b"[]", b'{"input":', b"nonsense"])
def test_what_is_no_question_is_refused_and_in_no_arm(inside: Any, body: bytes):
    status, text, arm, origin, _ = inside.server.ask("authz/allow", body)
    assert (status, arm, origin) == (400, "none", "")
    assert json.loads(text)["code"] == "invalid_parameter"
    for path in ('a/"b', "a/\ud800"):
        with pytest.raises(PathError):
            inside.server.ask(path, body)
        with pytest.raises(PathError):
            inside.server.ask_later(path, body, None, Mailbox(), 1)


def test_bodies_are_bounded(start: Any):
    plane = start(in_process=True, max_body_bytes=100)
    assert plane.server.ask("authz/allow", b'{"input":"' + b"x" * 100 + b'"}')[0] == 413


def test_an_event_loop_is_told_by_a_descriptor(inside: Any):
    mailbox = Mailbox()
    assert inside.server.ask_later("authz/allow", ALICE, None, mailbox, 7) is None
    assert select.select([mailbox.fd], [], [], 20)[0]
    assert mailbox.take() == [(7, (200, b'{"result":true}\n', "rust", "engine", ""))]
    assert not select.select([mailbox.fd], [], [], 0)[0]
    assert inside.server.ask_later("authz/allow", ALICE, None, mailbox, 8) == KEPT
    assert mailbox.take() == []


def test_as_many_are_under_way_as_connections_may_be_open(start: Any):
    plane = start(None, in_process=True, max_connections=2, baseline_timeout_seconds=20)
    plane.flags(percentage=0)
    mailbox = Mailbox()
    for token in range(3):
        plane.server.ask_later("authz/allow", ALICE, None, mailbox, token)
    assert select.select([mailbox.fd], [], [], 20)[0]
    [(_, told)] = mailbox.take()
    assert told[0] == 503


def test_a_drain_waits_for_questions_under_way_and_the_next_are_refused(start: Any):
    gate = threading.Event()

    def answer(plane: Any, job: Any) -> None:
        gate.wait(20)
        plane.answer(job)

    plane = start(answer, in_process=True)
    plane.flags(percentage=0)
    mailbox = Mailbox()
    plane.server.ask_later("authz/allow", ALICE, None, mailbox, 1)
    threading.Timer(0.2, gate.set).start()
    assert plane.server.drain(20.0)
    assert [told[0] for _, told in mailbox.take()] == [200]
    assert plane.server.ask("authz/allow", ALICE)[0] == 503


def test_a_drain_without_patience_tells_who_still_waits(start: Any):
    plane = start(None, in_process=True, baseline_timeout_seconds=20)
    plane.flags(percentage=0)
    mailbox = Mailbox()
    plane.server.ask_later("authz/allow", ALICE, None, mailbox, 1)
    plane.server.drain(0.0)
    assert select.select([mailbox.fd], [], [], 20)[0]
    assert [told[0] for _, told in mailbox.take()] == [503]


def test_before_the_start_nobody_is_answered(engine: Engine):
    server = Server(engine, in_process=True)
    assert server.ask("authz/allow", ALICE)[0] == 503


@pytest.mark.parametrize("how", [os.fork, fork_without_a_word])
def test_a_child_is_told_that_the_server_was_started_before_the_fork(start: Any, how: Callable[[], int]):
    # given a decision that is kept, and no thread of Python beside this one
    server = start(None, in_process=True).server
    server.ask("authz/allow", ALICE)
    assert server.ask("authz/allow", ALICE) == KEPT

    # when a child asks for it, and for one that is not, then it does not wait for threads that it does not have
    def ask() -> list[Any]:
        mailbox = Mailbox()
        told = [
            server.ask("authz/allow", ALICE),
            server.ask("authz/allow", b""),
            server.ask_later("authz/allow", b"", None, mailbox, 1),
        ]
        return [(status, b"before a fork" in body, arm) for status, body, arm, _, _ in told]

    assert fork(ask, how).says() == str([(503, True, "none")] * 3)
    # and the parent goes on
    assert server.ask("authz/allow", ALICE) == KEPT
    assert server.ask("authz/allow", b"")[0] == 200


def test_drawn_questions_are_compared(start: Any):
    plane = start(in_process=True)
    plane.server.set_flags(
        rollout="shop/gateway", revision=2, percentage=100, salt="salt", rust_opa=True, rust_cache=True, shadow=100
    )
    for _ in range(3):
        plane.server.ask("authz/allow", ALICE)
    drawn = plane.server.take_drawn()
    assert [(one.path, one.input, one.decider) for one in drawn] == [("authz/allow", ALICE[9:-1], "engine")] * 3


def test_faults_are_injected_into_kept_decisions_too(inside: Any):
    inside.server.ask("authz/allow", ALICE)
    inside.server.set_faults(rust_error_ratio=1.0)
    assert inside.server.ask("authz/allow", ALICE)[3:] == ("opa", "evaluation")
