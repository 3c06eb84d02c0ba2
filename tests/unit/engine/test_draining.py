"""Ending without losing what was sent: requests under way, requests nobody has read, connections nobody has accepted."""

from __future__ import annotations

import contextlib
import http.client
import math
import select
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sark_engine import Engine, Policies

POLICY = """package authz
allow if input.user.id == "alice"
held if count([1 | some i in numbers.range(1, input.n); some j in numbers.range(1, input.n); i == j]) == input.n
"""
QUESTION = b'{"input": {"user": {"id": "alice"}}}'
ASK = b"POST /v1/data/authz/allow HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(QUESTION), QUESTION)
CLIENTS = 32


@pytest.fixture
def engine() -> Engine:
    return Engine(Policies([("authz.rego", POLICY)]), evaluation_timeout_seconds=60.0)


def test_draining_finishes_what_is_under_way_and_accepts_nothing_more(start: Any):
    released = threading.Event()

    def answer_late(plane: Any, job: Any) -> None:
        released.wait(10)
        plane.answer(job)

    plane = start(answer_late)
    plane.flags(percentage=0)
    replies: list[Any] = []
    client = threading.Thread(target=lambda: replies.append(plane.ask("authz/allow")))
    client.start()
    while not plane.jobs:
        time.sleep(0.01)
    finished: list[bool] = []
    drain = threading.Thread(target=lambda: finished.append(plane.server.drain(10.0)))
    drain.start()
    while _accepts(plane.port):
        time.sleep(0.01)
    released.set()
    client.join()
    drain.join()
    assert finished == [True]
    assert replies[0].json == {"result": True}
    assert replies[0].headers["connection"] == "close"


def test_draining_gives_up_in_time_and_says_so(start: Any):
    plane = start(answer=None)
    plane.flags(percentage=0)
    with socket.create_connection(("127.0.0.1", plane.port), timeout=10) as client:
        client.sendall(ASK)
        while not plane.server.take_jobs():
            time.sleep(0.01)
        assert plane.server.drain(0.05) is False
        assert client.recv(10) == b""


@dataclass
class Caller:
    """Asks on one connection, again and again, until told to stop or refused; notes when each request was written."""

    port: int
    answered: int = 0
    told_to_leave: bool = False
    lost: list[tuple[float, str]] = field(default_factory=list)

    def run(self, stopping: threading.Event) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        while not stopping.is_set() and not self.told_to_leave:
            # A client that came too late to connect has written nothing.
            written = math.inf
            try:
                connection.request("POST", "/v1/data/authz/allow", body=QUESTION)
                written = time.monotonic()
                response = connection.getresponse()
                body = response.read()
            except OSError as error:
                self.lost.append((written, repr(error)))
                break
            assert (response.status, body) == (200, b'{"result":true}\n')
            self.answered += 1
            self.told_to_leave = response.getheader("connection") == "close"
        connection.close()


@pytest.mark.parametrize("percentage", [100, 0], ids=["rust", "baseline"])
@pytest.mark.parametrize("round_", range(10))
def test_no_request_written_before_the_drain_is_lost(start: Any, percentage: int, round_: int):
    # Given a flood of requests over connections that stay
    plane = start()
    plane.flags(percentage=percentage)
    stopping = threading.Event()
    callers = [Caller(plane.port) for _ in range(CLIENTS)]
    threads = [threading.Thread(target=caller.run, args=(stopping,)) for caller in callers]
    for thread in threads:
        thread.start()
    while sum(caller.answered for caller in callers) < CLIENTS * (2 + round_):
        time.sleep(0.001)

    # When the server drains in the middle of it
    began = time.monotonic()
    finished = plane.server.drain(20.0)
    stopping.set()
    for thread in threads:
        thread.join()

    # Then everybody was answered, and told that this was the last time
    assert finished
    assert [loss for caller in callers for loss in caller.lost if loss[0] < began] == []
    assert all(caller.told_to_leave for caller in callers if not caller.lost)
    assert sum(caller.told_to_leave for caller in callers) > CLIENTS / 2


def test_connections_and_requests_that_nobody_has_looked_at_are_served(start: Any):
    # How long a question holds the thread depends on the machine. When it let go too early, a longer one is asked.
    for size in (1_400, 2_800, 5_600):
        with contextlib.ExitStack() as sockets:
            # Given a serving thread that is held up, so that whatever comes stays in the kernel
            plane = start(inline_evaluation_seconds=60.0)

            def connect(plane: Any = plane, sockets: contextlib.ExitStack = sockets) -> socket.socket:
                return sockets.enter_context(socket.create_connection(("127.0.0.1", plane.port), timeout=60))

            kept = [connect() for _ in range(4)]
            for client in kept:
                client.sendall(ASK)
                assert client.recv(1_000).startswith(b"HTTP/1.1 200 ")
            holding = connect()
            body = b'{"input": {"n": %d}}' % size
            holding.sendall(b"POST /v1/data/authz/held HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            time.sleep(0.05)
            clients = kept + [connect() for _ in range(8)]
            for client in clients:
                client.sendall(ASK * 3)

            # When it drains
            finished: list[bool] = []
            drain = threading.Thread(target=lambda plane=plane, finished=finished: finished.append(plane.server.drain(60.0)))
            drain.start()
            time.sleep(0.1)
            still_held = not select.select([holding], [], [], 0)[0]

            # Then each request has its answer, and the last one of a connection says so
            received = [b"".join(iter(lambda client=client: client.recv(65_536), b"")) for client in clients]
            drain.join()
            assert finished == [True]
            assert [answers.count(b"HTTP/1.1 200 OK\r\n") for answers in received] == [3] * len(clients)
            if still_held:
                assert [answers.count(b"Connection: close") for answers in received] == [1] * len(clients)
                return
    pytest.fail("no question held the thread until the drain had begun")


def test_idle_connections_are_closed_soon(start: Any):
    plane = start()
    idle = [socket.create_connection(("127.0.0.1", plane.port), timeout=20) for _ in range(3)]
    for client in idle:
        client.sendall(ASK)
        assert client.recv(1_000).startswith(b"HTTP/1.1 200 ")
    began = time.monotonic()
    assert plane.server.drain(600.0)
    assert time.monotonic() - began < 60
    for client in idle:
        assert client.recv(10) == b""
        client.close()


def test_the_file_of_a_unix_socket_is_gone_while_its_clients_are_still_served(start: Any, tmp_path: Path):
    path = tmp_path / "data.sock"
    plane = start(answer=None, unix_path=path)
    plane.flags(percentage=0)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        client.sendall(ASK)
        while not (jobs := plane.server.take_jobs()):
            time.sleep(0.01)
        finished: list[bool] = []
        drain = threading.Thread(target=lambda: finished.append(plane.server.drain(20.0)))
        drain.start()
        while path.exists():
            time.sleep(0.01)
        plane.answer(jobs[0])
        assert client.recv(1_000).endswith(b'{"result":true}\n')
    drain.join()
    assert finished == [True]


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return False
    return True
