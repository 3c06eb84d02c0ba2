"""A client that is there before a fork: parent and children ask, and each hears the answer to its own question."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sark_client import AsyncClient, Client, NoDecisionError
from sark_e2e.deadline import eventually
from sark_e2e.forks import PATIENCE, Child, fork, fork_without_a_word

ALICE, MALLORY, SLOW = ({"user": name} for name in ("alice", "mallory", "slow"))


@dataclass
class Served:
    """A server that allows alice and whoever is slow; the latter is not answered until `go`."""

    url: str = ""
    connections: int = 0
    ended: int = 0
    slow: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def served() -> Iterator[Served]:
    told = Served()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            told.connections += 1

        def finish(self) -> None:
            super().finish()
            told.ended += 1

        def do_POST(self) -> None:
            user = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]["user"]
            if user == "slow":
                told.slow.set()
                told.go.wait(PATIENCE)
            body = json.dumps({"result": user != "mallory"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                # A client may be gone before its answer.
                return

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield told
    told.go.set()
    server.shutdown()
    server.server_close()
    thread.join()


any_fork = pytest.mark.parametrize("how", [os.fork, fork_without_a_word])


@any_fork
def test_children_hear_the_answers_to_their_own_questions(served: Served, how: Callable[[], int]):
    # given a client whose connection is kept, and children that begin to ask at the same moment
    with Client(served.url, path="a") as client:
        client.decide(ALICE)
        wait, begin = os.pipe()

        def ask(document: dict[str, str]) -> list[bool]:
            os.close(begin)
            os.read(wait, 1)
            return [client.decide(document).allow for _ in range(50)]

        children = [(document, fork(lambda document=document: ask(document), how)) for document in [ALICE, MALLORY] * 3]
        # when they ask, and the parent does
        os.close(begin)
        own = [client.decide(MALLORY).allow for _ in range(50)]
        told = [(document, child.says()) for document, child in children]
        os.close(wait)
    # then
    assert own == [False] * 50
    assert told == [(document, str([document is ALICE] * 50)) for document in [ALICE, MALLORY] * 3]


@any_fork
def test_a_child_makes_its_own_connection_and_the_parent_keeps_its(served: Served, how: Callable[[], int]):
    with Client(served.url, path="a") as client:
        client.decide(ALICE)

        def ask() -> bool:
            allow = client.decide(MALLORY).allow
            client.close()
            return allow

        # when a child asks, closes the client and ends
        assert fork(ask, how).says() == "False"
        # then that was another connection, and the parent's is the same as before
        assert client.decide(ALICE).allow
        assert served.connections == 2


def test_a_child_of_a_child_uses_the_connections_of_neither(served: Served):
    with Client(served.url, path="a") as client:
        client.decide(ALICE)
        told = fork(lambda: (client.decide(MALLORY).allow, fork(lambda: client.decide(ALICE).allow).says())).says()
        assert told == "(False, 'True')"
    assert served.connections == 3


@any_fork
def test_a_question_under_way_is_the_parents_alone(served: Served, how: Callable[[], int]):
    # given a question under way in the parent, which takes the only place
    with Client(served.url, path="a", max_connections=1, timeout=PATIENCE) as client:
        heard: list[bool] = []
        thread = threading.Thread(target=lambda: heard.append(client.decide(SLOW).allow))
        thread.start()
        assert served.slow.wait(PATIENCE)
        # when a child asks
        told = fork(lambda: client.decide(MALLORY).allow, how).says()
        served.go.set()
        thread.join()
        # then it has a place, and the parent hears its own answer
        assert told == "False"
        assert heard == [True]


def test_locks_that_a_thread_held_at_the_fork_are_free_in_the_child(served: Served):
    # given a lock of the client that another thread holds
    with Client(served.url, path="a") as client:
        with client._asking.pool().places._cond:
            told = fork(lambda: client.decide(ALICE).allow).says()
        # then
        assert told == "True"


def test_copies_in_a_child_do_not_hold_a_connection_open(served: Served):
    # given connections that are kept and in use, and a child that lives on without asking
    client = Client(served.url, path="a", timeout=1.0)
    client.decide(ALICE)
    caught: list[Exception] = []

    def ask() -> None:
        try:
            client.decide(SLOW)
        except NoDecisionError as error:
            caught.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert served.slow.wait(PATIENCE)
    with Client(served.url, path="a") as other:
        other.decide(ALICE)
        wait, end = os.pipe()

        def live() -> str:
            os.close(end)
            os.read(wait, 1)
            return "done"

        child = fork(live)
        # when the parent closes them
        thread.join()
    # then the server hears of it while the child is alive
    try:
        eventually(lambda: served.ended == 1, what="the kept one ended", seconds=PATIENCE)
        served.go.set()
        eventually(lambda: served.ended == 2, what="the one in use ended", seconds=PATIENCE)
    finally:
        os.close(end)
        assert child.says() == "done"
        os.close(wait)
        client.close()
    assert len(caught) == 1


def test_a_fork_in_the_middle_of_a_question_leaves_it_to_the_parent(served: Served):
    # given a signal that forks, and a thread that sends it when a question is under way
    parent, children = os.getpid(), []
    said, say = os.pipe()
    once = threading.Lock()

    def forks(*_: Any) -> None:
        if once.acquire(blocking=False):
            children.append(os.fork())
            if children[0]:
                served.go.set()

    def send() -> None:
        served.slow.wait(PATIENCE)
        while not served.go.wait(0.1):  # one that comes just before the thread waits for its answer is looked at after that
            os.kill(parent, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, forks)
    sender = threading.Thread(target=send)
    client = Client(served.url, path="a", timeout=PATIENCE)
    try:
        sender.start()
        # when both come back from it to the question; the child has no connection to hear an answer on
        try:
            told = f"{client.decide(SLOW).allow}"
        except NoDecisionError:
            told = "no decision"
        if os.getpid() != parent:
            os.write(say, f"{told}, then {client.decide(MALLORY).allow}".encode())
    finally:
        if os.getpid() != parent:
            os._exit(0)
        sender.join()
        signal.signal(signal.SIGUSR1, before)
        os.close(say)
        heard = Child(children[0], said).says()
        client.close()
    # then
    assert (told, heard) == ("True", "no decision, then False")


@any_fork
def test_an_awaiting_client_in_a_child_makes_its_own_connection(served: Served, how: Callable[[], int]):
    async def parent() -> None:
        async with AsyncClient(served.url, path="a", max_connections=2) as client:
            # given a connection that is kept, and a question under way
            await client.decide(ALICE)
            under_way = asyncio.ensure_future(client.decide(SLOW))
            await asyncio.sleep(0)
            await client.decide(ALICE)

            async def ask() -> list[bool]:
                allow = [(await client.decide(MALLORY)).allow for _ in range(3)]
                await client.close()
                return allow

            def work() -> list[bool]:
                allow = asyncio.run(ask())
                gc.collect()
                return allow

            # when a child asks on a loop of its own, closes the client and ends
            assert await asyncio.to_thread(fork(work, how).says) == "[False, False, False]"
            # then what the parent had is as before
            assert served.connections == 3
            assert (await client.decide(ALICE)).allow
            served.go.set()
            assert (await under_way).allow
            assert served.connections == 3

    asyncio.run(parent())


def test_the_loop_of_a_parent_that_a_child_ends_goes_on_in_the_parent(served: Served):
    async def parent() -> None:
        async with AsyncClient(served.url, path="a") as client:
            await client.decide(ALICE)
            under_way = asyncio.ensure_future(client.decide(SLOW))
            await asyncio.to_thread(served.slow.wait, PATIENCE)

            def unwind() -> str:
                # What holds the question under way is thrown away, as when a child leaves the functions of its parent.
                try:
                    under_way.get_coro().throw(GeneratorExit)  # type: ignore[union-attr]
                except GeneratorExit:
                    return "unwound"
                return "not unwound"

            # when
            assert await asyncio.to_thread(fork(unwind).says) == "unwound"
            # then the parent's loop still hears
            served.go.set()
            assert (await under_way).allow
            assert (await client.decide(ALICE)).allow
            assert served.connections == 1

    asyncio.run(parent())


def test_an_awaiting_client_that_was_asked_before_the_fork_is_asked_in_the_child(served: Served):
    # given a client whose loop stands still
    client = AsyncClient(served.url, path="a")
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(client.decide(ALICE)).allow

    # when it is asked in a child
    async def ask() -> bool:
        async with client:
            return (await client.decide(MALLORY)).allow

    told = fork(lambda: asyncio.run(ask())).says()
    # then
    assert told == "False"
    # and in the parent again
    assert loop.run_until_complete(client.decide(ALICE)).allow
    assert served.connections == 2
    loop.run_until_complete(client.close())
    loop.close()
