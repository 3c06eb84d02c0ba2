"""Clients that send too much, too slowly, or no HTTP at all: each gets a clear answer, and none holds anybody up."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

QUESTION = b'{"input": {"user": {"id": "alice"}}}'
ASK = b"POST /v1/data/authz/allow HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(QUESTION), QUESTION)


@contextmanager
def connected(plane: Any) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", plane.port), timeout=20) as client:
        yield client


def everything(client: socket.socket) -> bytes:
    """What the server sends until it closes."""
    return b"".join(iter(lambda: client.recv(65_536), b""))


def answers(received: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Status, headers and body of the answers in `received`."""
    found = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", "0"))
        found.append((int(first.split()[1]), headers, received[:length]))
        received = received[length:]
    return found


def exchange(plane: Any, sent: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Send, and return the answers that come until the server closes."""
    with connected(plane) as client:
        client.sendall(sent)
        return answers(everything(client))


def test_several_requests_in_one_packet_are_answered_in_order(start: Any):
    plane = start()
    users = ["alice" if number % 3 == 0 else f"user-{number}" for number in range(50)]
    sent = b""
    for user in users:
        body = json.dumps({"input": {"user": {"id": user}}}).encode()
        sent += b"POST /v1/data/authz/decision HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    last = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    found = exchange(plane, sent + last)
    decisions = [json.loads(body)["result"]["allow"] for _, _, body in found[:-1]]
    assert decisions == [user == "alice" for user in users]
    assert found[-1][1]["connection"] == "close"
    assert all("connection" not in headers for _, headers, _ in found[:-1])


def test_an_answer_that_takes_time_keeps_its_place_in_the_pipeline(start: Any):
    def answer_late(plane: Any, job: Any) -> None:
        time.sleep(0.1)
        plane.answer(job)

    plane = start(answer_late, subject_header="X-Subject")
    plane.flags(percentage=50)
    arms = {"rust": b"", "python": b""}
    for number in range(200):
        asked = len(plane.jobs)
        name = f"s{number}"
        plane.request("POST", "/v1/data/authz/allow", b'{"input": {}}', {"X-Subject": name})
        arms["python" if len(plane.jobs) > asked else "rust"] = name.encode()
        if all(arms.values()):
            break
    ask = b"POST /v1/data/authz/allow HTTP/1.1\r\nHost: x\r\nX-Subject: %s\r\nContent-Length: 13\r\n\r\n" + b'{"input": {}}'
    sent = b"".join(ask % arms[arm] for arm in ("rust", "python", "rust"))
    found = exchange(plane, sent + b"GET /health HTTP/1.0\r\n\r\n")
    assert [body for _, _, body in found] == [b'{"result":false}\n', b'{"result":true}\n', b'{"result":false}\n', b"{}\n"]


@pytest.mark.parametrize("size", [1, 7])
def test_a_request_in_small_pieces_is_put_together(start: Any, size: int):
    plane = start()
    chunked = b"POST /v1/data/authz/allow HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    chunked += b"5\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (QUESTION[:5], len(QUESTION) - 5, QUESTION[5:])
    with connected(plane) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent = ASK + chunked
        for at in range(0, len(sent), size):
            client.sendall(sent[at : at + size])
        assert [body for _, _, body in answers(everything(client))] == [b'{"result":true}\n'] * 2


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(start: Any):
    plane = start()
    head, _, body = ASK.partition(b"\r\n\r\n")
    with connected(plane) as client:
        client.sendall(head + b"\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert everything(client).endswith(b'{"result":true}\n')


def test_http_1_0_and_head_are_understood(start: Any):
    plane = start()
    [(status, headers, _)] = exchange(plane, b"GET /health HTTP/1.0\r\n\r\n")
    assert (status, headers["connection"]) == (200, "close")
    with connected(plane) as client:
        client.sendall(b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert b"\r\nConnection: keep-alive\r\n" in client.recv(1_000)
    with connected(plane) as client:
        client.sendall(b"HEAD /health HTTP/1.1\r\nConnection: close\r\n\r\n")
        received = everything(client)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /health HTTP/1.1\r\nBad Name: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        b"POST /v1/data/a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /v1/data/a HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/data/a HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"POST /v1/data/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/data/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"POST /v1/data/a HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_what_is_no_request_gets_400_and_the_end_of_the_connection(start: Any, sent: bytes):
    plane = start()
    # Whatever follows is not taken for a request: where it would begin is not known.
    [(status, headers, body)] = exchange(plane, sent + ASK)
    assert (status, headers["connection"], json.loads(body)["code"]) == (400, "close", "invalid_parameter")
    assert plane.metric("sark_requests_refused_total", reason="bad_request") == 1
    assert plane.ask("authz/allow").json == {"result": True}


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n",
        b"GET /v1/data/" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n",
        b"X" * 9_000,
        b"GET /health HTTP/1.1\r\nX-Endless: " + b"x" * 2_000_000,
    ],
    ids=["long", "many", "target", "no end", "endless"],
)
def test_a_head_that_is_too_large_is_refused(start: Any, head: bytes):
    plane = start(max_header_bytes=8_192)
    [(status, headers, _)] = exchange(plane, head)
    assert (status, headers["connection"]) == (431, "close")
    assert plane.metric("sark_requests_refused_total", reason="head") == 1


@pytest.mark.parametrize(
    "request_",
    [
        b"Content-Length: 1001\r\n\r\n",
        b"Content-Length: 99999999999999999999\r\n\r\n",
        b"Content-Length: 1048576\r\n\r\n" + b" " * 1_048_576,
        b"Transfer-Encoding: chunked\r\n\r\n" + b"100\r\n" + b" " * 0x100 + b"\r\nffff\r\n" + b" " * 2_000,
        b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    ],
    ids=["promised", "huge", "sent", "chunks", "chunk"],
)
def test_a_body_that_is_too_large_is_refused_before_it_is_kept(start: Any, request_: bytes):
    plane = start(max_body_bytes=1_000)
    [(status, headers, body)] = exchange(plane, b"POST /v1/data/authz/allow HTTP/1.1\r\n" + request_)
    assert (status, headers["connection"]) == (413, "close")
    assert "1000 bytes" in json.loads(body)["message"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", None),
        (b"POST /v1/data/authz/allow HTTP/1.1\r\nHost:", 408),
        (b"POST /v1/data/authz/allow HTTP/1.1\r\nContent-Length: 10\r\n\r\n{", 408),
        (b"POST /v1/data/authz/allow HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 408),
        (ASK, 200),
    ],
    ids=["silent", "head", "body", "chunk", "idle"],
)
def test_a_slow_client_does_not_hold_its_connection(start: Any, sent: bytes, status: int | None):
    plane = start(idle_timeout_seconds=0.1, header_timeout_seconds=0.1, body_timeout_seconds=0.1)
    assert [found for found, _, _ in exchange(plane, sent)] == ([] if status is None else [status])


def test_a_client_that_drips_its_head_has_no_more_time_than_one_that_waits(start: Any):
    plane = start(header_timeout_seconds=0.3, idle_timeout_seconds=30.0)
    with connected(plane) as client:
        received = b""
        client.settimeout(0.02)
        for byte in b"GET /health HTTP/1.1\r\nX-Drip: " + b"x" * 10_000:
            client.sendall(bytes([byte]))
            try:
                received = client.recv(100)
            except TimeoutError:
                continue
            break
    assert received.startswith(b"HTTP/1.1 408 ")


def test_a_client_that_does_not_read_is_cut_off_and_holds_up_nobody(start: Any):
    plane = start(write_timeout_seconds=0.3)
    plane.flags(percentage=100)
    with connected(plane) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.settimeout(0.2)
        sent = 0
        try:
            while sent < 1 << 30:
                sent += client.send(ASK * 200)
        except (TimeoutError, OSError):
            pass
        # Others are answered while it blocks.
        assert plane.ask("authz/allow").json == {"result": True}
        while plane.metric("sark_connections") > 1:
            time.sleep(0.01)
        with pytest.raises(OSError, match=r"reset|[Bb]roken"):
            client.sendall(ASK * 100_000)
    assert sent < 1 << 30


def test_those_who_are_turned_away_are_told_why_whatever_they_send(start: Any):
    plane = start(max_connections=1)
    with connected(plane) as held:
        held.sendall(ASK)
        assert held.recv(1_000).startswith(b"HTTP/1.1 200 ")
        for _ in range(100):
            [(status, headers, body)] = exchange(plane, ASK * 10)
            assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
            assert "connections" in json.loads(body)["message"]
        held.sendall(ASK)
        assert held.recv(1_000).startswith(b"HTTP/1.1 200 ")


def test_one_client_with_many_requests_leaves_the_others_their_turn(start: Any):
    plane = start()
    stopping = threading.Event()

    def flood() -> None:
        with connected(plane) as client:
            client.settimeout(0.01)
            while not stopping.is_set():
                try:
                    client.sendall(ASK * 500)
                    client.recv(1 << 20)
                except TimeoutError:
                    continue
                except OSError:
                    return

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        assert {plane.ask("authz/allow").status for _ in range(20)} == {200}
    finally:
        stopping.set()
        thread.join()


def test_a_client_that_leaves_while_its_answer_is_made_frees_its_place(start: Any):
    plane = start(answer=None)
    plane.flags(percentage=0)
    client = socket.create_connection(("127.0.0.1", plane.port), timeout=20)
    # More requests wait behind the one that is under way: bytes that were not read must not hide that the client left.
    client.sendall(ASK * 3)
    while not (jobs := plane.server.take_jobs()):
        time.sleep(0.01)
    client.close()
    while plane.metric("sark_connections") > 0:
        time.sleep(0.01)
    assert plane.server.complete(jobs[0].id, 200, b"{}", outcome="undefined") is False
