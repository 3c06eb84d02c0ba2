from __future__ import annotations

import gzip
import json
import socket
import time
import urllib.parse
from typing import Any

import pytest
from sark_engine import Engine, Server

QUESTION = b'{"input": {"user": {"id": "alice"}}}'

WARNING = {"warning": {"code": "api_usage_warning", "message": "'input' key missing from the request"}}


def test_answers_have_the_shape_of_opas(start: Any):
    plane = start()
    allowed = plane.ask("authz/allow")
    assert (allowed.status, allowed.body) == (200, b'{"result":true}\n')
    assert allowed.headers["content-type"] == "application/json"
    assert plane.ask("authz/decision", "bob").json == {"result": {"allow": False}}
    undefined = plane.ask("authz/reason", "bob")
    assert (undefined.status, undefined.body) == (200, b"{}\n")
    assert plane.jobs == []


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "/v1/data/authz/allow", b"", {"result": False, **WARNING}),
        ("POST", "/v1/data/authz/allow", b"{}", {"result": False, **WARNING}),
        ("POST", "/v1/data/authz/allow", b'{"input": null}', {"result": False, **WARNING}),
        ("POST", "/v1/data//authz/allow/", QUESTION, {"result": True}),
        ("POST", "/v1/data/%61uthz/allow", QUESTION, {"result": True}),
        ("POST", "/v1/data/authz/allow?pretty=true&x=y", QUESTION, {"result": True}),
        ("GET", "/v1/data/authz/allow", None, {"result": False}),
        ("GET", "/v1/data/authz/allow?input=%7B%22user%22:%7B%22id%22:%22alice%22%7D%7D", None, {"result": True}),
        ("GET", "/health", None, {}),
    ],
)
def test_questions_are_read_as_opa_reads_them(start: Any, method: str, path: str, body: bytes | None, expected: object):
    reply = start().request(method, path, body)
    assert (reply.status, reply.json) == (200, expected)


def test_a_body_and_an_input_of_the_same_bytes_are_different_questions(start: Any, engine: Engine):
    plane = start()
    as_input = f"/v1/data/authz/allow?input={urllib.parse.quote(QUESTION)}"
    for _ in range(3):
        assert plane.request("POST", "/v1/data/authz/allow", QUESTION).json == {"result": True}
        assert plane.request("GET", as_input).json == {"result": False}
        assert engine.decide("authz/allow", QUESTION) == b"false"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/data/authz/allow", b"{", 400, "invalid_parameter"),
        ("POST", "/v1/data/authz/allow", b"[]", 400, "invalid_parameter"),
        ("POST", "/v1/data/authz/allow", b'{"input": [01]}', 400, "invalid_parameter"),
        ("POST", "/v1/data/authz/allow", b'{"input": "' + b"x" * 2_000 + b'"}', 413, "invalid_parameter"),
        ("GET", "/v1/data/authz/allow?input=%7B", None, 400, "invalid_parameter"),
        ("POST", "/v1/batch/data/a%22b", b"{}", 400, "invalid_parameter"),
        ("PUT", "/v1/data/authz/allow", b"{}", 403, "invalid_operation"),
        ("POST", "/v1/policies", b"{}", 405, "invalid_operation"),
        ("GET", "/v1/policy", None, 404, "resource_not_found"),
    ],
)
@pytest.mark.parametrize("percentage", [0, 100])
def test_a_bad_request_is_refused_alike_in_both_arms(  # noqa: PLR0917 - the columns of the table
    start: Any, method: str, path: str, body: bytes | None, status: int, code: str, percentage: int
):
    plane = start(max_body_bytes=1_000)
    plane.flags(percentage=percentage)
    reply = plane.request(method, path, body)
    assert (reply.status, reply.json["code"]) == (status, code)
    assert plane.jobs == []
    assert all(value == 0 for (name, _), value in plane.samples().items() if name == "sark_requests_total")


def test_connections_beyond_the_limit_are_turned_away(start: Any):
    plane = start(max_connections=2)
    held = [socket.create_connection(("127.0.0.1", plane.port), timeout=10) for _ in range(2)]
    for client in held:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
    refused = plane.request("GET", "/health")
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert plane.metric("sark_requests_refused_total", reason="connections") == 1
    held.pop().close()
    held.pop().close()
    while plane.metric("sark_connections") > 0:
        time.sleep(0.01)
    assert plane.request("GET", "/health").status == 200


def test_large_bodies_have_so_much_memory_together_and_small_ones_need_none_of_it(start: Any):
    # Given clients that send most of a body each, of the largest there may be, and then nothing more
    most = 128 << 10
    plane = start(max_body_bytes=most, body_timeout_seconds=60.0, max_connections=200)
    body = b'{"input": {"user": {"id": "alice"}, "rest": "' + b"x" * (most - 100) + b'"}}'
    head = f"POST /v1/data/authz/allow HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    clients = [socket.create_connection(("127.0.0.1", plane.port), timeout=20) for _ in range(100)]
    refused = []
    for client in clients:
        try:
            client.sendall(head + body[:-1])
            client.settimeout(0.05)
            refused.append(client.recv(1000))
        except TimeoutError:
            continue
        except OSError:  # it was closed while it was sent to
            refused.append(b"HTTP/1.1 503 ")

    # Then those that find no room are told so at once
    assert 20 <= len(refused) < 100 - 20
    assert all(reply.startswith(b"HTTP/1.1 503 ") for reply in refused)
    assert any(b"too many large bodies are being read or answered; try again" in reply for reply in refused)
    assert plane.metric("sark_requests_refused_total", reason="body") == len(refused)
    # And small ones are answered as ever
    assert plane.ask("authz/allow").json == {"result": True}

    # And when the others have gone or have been answered there is room again
    answered = 0
    for client in clients:
        client.settimeout(20)
        try:
            client.sendall(body[-1:])
            answered += client.recv(1000).startswith(b"HTTP/1.1 200 ")
        except OSError:
            continue
        finally:
            client.close()
    assert answered == 100 - len(refused)
    while plane.metric("sark_connections") > 0:
        time.sleep(0.01)
    assert plane.request("POST", "/v1/data/authz/allow", body).json == {"result": True}
    for _ in range(200):  # of what was unpacked nothing is kept
        packed = plane.request("POST", "/v1/data/authz/allow", gzip.compress(body), {"Content-Encoding": "gzip"})
        assert packed.json == {"result": True}


def test_several_workers_share_one_port(start: Any):
    plane = start(workers=3)
    assert {plane.ask("authz/allow", user).status for user in map(str, range(50))} == {200}


def test_a_port_in_use_is_an_os_error(engine: Engine, start: Any):
    plane = start()
    for workers in (1, 2):
        with pytest.raises(OSError, match="in use"):
            Server(engine, port=plane.port, workers=workers).start()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"host": "localhost"}, "IP address"),
        ({"unix_path": "data.sock"}, "unix_path"),
        ({"unix_path": "/run/data.sock", "unix_mode": 0o1777}, "unix_mode"),
        ({"evaluation_threads": 0}, "evaluation_threads"),
        ({"evaluation_queue": 0}, "evaluation_queue"),
        ({"inline_evaluation_seconds": 0.0}, "inline_evaluation_seconds"),
        ({"workers": 0}, "workers"),
        ({"max_header_bytes": 100}, "max_header_bytes"),
        ({"baseline_queue": 0}, "baseline_queue"),
        ({"subject_pointer": "user/id"}, "slash"),
        ({"subject_header": "no header"}, "subject_header"),
        ({"baseline_timeout_seconds": 0.0}, "baseline_timeout_seconds"),
    ],
)
def test_settings_that_cannot_work_are_named(engine: Engine, settings: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        Server(engine, **settings)


def test_a_server_that_is_dropped_ends_by_itself(engine: Engine):
    server = Server(engine)
    port = server.start()
    assert _accepts(port)
    del server
    while _accepts(port):
        time.sleep(0.01)


def test_the_subject_decides_the_arm_and_a_header_overrides(start: Any):
    plane = start(subject_header="X-Subject")
    plane.flags(percentage=50)
    subjects = [f"user-{number}" for number in range(40)]
    arms = {subject: _arm_of(plane, {"user": {"id": subject}}) for subject in subjects}
    assert set(arms.values()) == {"rust", "python"}
    assert {subject: _arm_of(plane, {"agent": {"id": subject}}) for subject in subjects} == arms
    assert {subject: _arm_of(plane, {"user": {"id": "x"}}, {"X-Subject": subject}) for subject in subjects} == arms


def _arm_of(plane: Any, document: object, headers: dict[str, str] | None = None) -> str:
    handed_over = len(plane.jobs)
    plane.request("POST", "/v1/data/authz/allow", json.dumps({"input": document}).encode(), headers)
    return "python" if len(plane.jobs) > handed_over else "rust"


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return False
    return True
