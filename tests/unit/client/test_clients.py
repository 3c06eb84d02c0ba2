"""Both clients against a server that follows a script, byte by byte."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from sark_client import (
    AsyncClient,
    BusyError,
    Client,
    ClosedError,
    Decision,
    NoDecisionError,
    QuestionError,
)
from sark_client.place import Place, parse_place
from sark_e2e.deadline import eventually

ALLOW = b'{"result":{"allow":true,"reason":"yes"}}\n'
DENY = b'{"result":false}\n'
MORE = b"<more>"


def answer(body: bytes = ALLOW, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


@dataclass(frozen=True)
class Refusal:
    """What a server says that has read the head of a question and closes the connection, with the rest of it unread."""

    said: bytes


Step: TypeAlias = bytes | float | Refusal | None


@dataclass
class Scripted:
    """Each connection gets the next list of answers; None closes it, a number waits so many seconds first.

    An answer with `MORE` in it is cut in two there; the rest comes when `more` is called, without a question.
    """

    url: str
    listener: socket.socket
    scripts: list[list[Step]]
    asked: list[bytes] = field(default_factory=list)
    connections: int = 0
    _go: threading.Event = field(default_factory=threading.Event)
    _gone: threading.Event = field(default_factory=threading.Event)

    def more(self) -> None:
        self._go.set()
        assert self._gone.wait(20)

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            script = self.scripts[min(self.connections, len(self.scripts) - 1)]
            self.connections += 1
            with connection:
                connection.settimeout(20)
                # A client may hang up in the middle of an answer.
                with suppress(OSError):
                    self._follow(connection, script)

    def _follow(self, connection: socket.socket, script: list[Step]) -> None:
        for step in script:
            received = b""
            while b"\r\n\r\n" not in received or not (isinstance(step, Refusal) or received.endswith(b"}")):
                some = connection.recv(65536)
                if not some:
                    return
                received += some
            self.asked.append(received)
            if step is None:
                return
            if isinstance(step, Refusal):
                connection.sendall(step.said)
                return
            if isinstance(step, float):
                time.sleep(step)
                return
            asked, _, unasked = step.partition(MORE)
            for start in range(0, len(asked), 7):
                connection.sendall(asked[start : start + 7])
            if unasked:
                self._go.wait(20)
                connection.sendall(unasked)
                self._gone.set()


@pytest.fixture(params=["tcp", "unix"])
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    with ExitStack() as stack:

        def begin(*scripts: list[Step]) -> Scripted:
            if request.param == "unix":
                listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                listener.bind(str(tmp_path / "s"))
                url = f"unix:{tmp_path / 's'}"
            else:
                listener = socket.create_server(("127.0.0.1", 0))
                url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            listener.listen()
            server = Scripted(url, listener, list(scripts))
            thread = threading.Thread(target=server.serve)
            thread.start()

            def end() -> None:
                listener.shutdown(socket.SHUT_RDWR)
                listener.close()
                thread.join()

            stack.callback(end)
            return server

        yield begin


def ask_blocking(url: str, documents: list[Any], **options: Any) -> list[Decision]:
    with Client(url, path="authz/allow", **options) as client:
        return [client.decide(document) for document in documents]


def ask_awaiting(url: str, documents: list[Any], **options: Any) -> list[Decision]:
    async def ask() -> list[Decision]:
        async with AsyncClient(url, path="authz/allow", **options) as client:
            return [await client.decide(document) for document in documents]

    return asyncio.run(ask())


both = pytest.mark.parametrize("ask", [ask_blocking, ask_awaiting])


@both
def test_questions_go_over_one_connection_and_come_back_typed(serve: Any, ask: Any):
    server = serve([answer(), answer(b'{"result":false}\n'), answer(b"{}\n")])
    first, second, third = ask(server.url, [{"user": "ü"}, b'{"n":1.50}', None])
    assert (first.allow, first.reason, first.path) == (True, "yes", "authz/allow")
    assert (second.allow, third.allow, third.is_defined) == (False, False, False)
    assert server.connections == 1
    assert server.asked[0].startswith(b"POST /v1/data/authz/allow HTTP/1.1\r\nHost: ")
    assert [request.partition(b"\r\n\r\n")[2] for request in server.asked] == [
        '{"input":{"user":"ü"}}'.encode(),
        b'{"input":{"n":1.50}}',
        b'{"input":null}',
    ]


@both
def test_a_connection_that_was_closed_meanwhile_is_replaced_without_a_word(serve: Any, ask: Any):
    server = serve([answer()], [answer()], [answer(more="Connection: close\r\n")], [answer()])
    decisions = ask(server.url, [{}, {}, {}, {}])
    assert [decision.allow for decision in decisions] == [True] * 4
    assert server.connections == 4


@both
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        ("503 Service Unavailable", b'{"code":"internal_error","message":"too much"}', BusyError),
        ("500 Internal Server Error", b'{"message":"no"}', NoDecisionError),
        ("400 Bad Request", b"[]", QuestionError),
        ("302 Found", ALLOW, NoDecisionError),
        ("204 No Content", b"", NoDecisionError),
        ("200 OK", b"[true]", NoDecisionError),
        ("200 OK", b"true", NoDecisionError),
        ("200 OK", b'{"result":true', NoDecisionError),
        ("200 OK", b"", NoDecisionError),
    ],
)
def test_what_is_no_decision_raises(serve: Any, ask: Any, status: str, body: bytes, kind: type[Exception]):
    server = serve([answer(body, status)])
    with pytest.raises(kind) as caught:
        ask(server.url, [{}])
    # Only a busy one may be asked again, and only a refused one must not.
    assert [issubclass(caught.type, one) for one in (BusyError, QuestionError)] == [kind is BusyError, kind is QuestionError]


@both
@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + ALLOW,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + ALLOW,
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n" + ALLOW,
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + ALLOW,
        b"HTTP/1.1 200 OK\r\nContent-Length: 41\r\nContent-Length: 5\r\n\r\n" + ALLOW,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n29\r\n" + ALLOW + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + ALLOW,
        b"HTTP/2 200\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000,
        b"",
    ],
    ids=range(11),
)
def test_an_answer_that_is_damaged_or_too_long_is_none(serve: Any, ask: Any, raw: bytes):
    server = serve([raw, None])
    with pytest.raises(NoDecisionError):
        ask(server.url, [{}], max_answer_bytes=1000, timeout=2.0)


@both
def test_a_question_has_a_deadline(serve: Any, ask: Any):
    server = serve([1.5])
    with pytest.raises(NoDecisionError, match=r"no answer within 0\.2 s"):
        ask(server.url, [{}], timeout=0.2)


@both
def test_nobody_there_is_no_decision(tmp_path: Path, ask: Any):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", f"unix:{tmp_path}/none"):
        with pytest.raises(NoDecisionError):
            ask(url, [{}])


@both
@pytest.mark.parametrize("document", [float("nan"), {"a": object()}, {"a": "\ud800"}])
def test_what_is_not_json_is_not_asked(serve: Any, ask: Any, document: Any):
    server = serve([answer()])
    with pytest.raises(QuestionError):
        ask(server.url, [document])
    assert server.connections == 0


def test_paths_and_headers_cannot_break_out_of_the_request(serve: Any):
    server = serve([answer()] * 3)
    with Client(server.url, subject_header="X-Subject") as client:
        client.decide({}, path="a b/ü?x#y/%2F", subject="alice")
        for path in ("", "/", "a/../b", "."):
            with pytest.raises(QuestionError):
                client.decide({}, path=path)
        with pytest.raises(QuestionError):
            client.decide({}, path="a", subject="x\r\nHost: other")
        with pytest.raises(QuestionError, match="no path"):
            client.decide({})
    assert server.asked[0].startswith(b"POST /v1/data/a%20b/%C3%BC%3Fx%23y/%252F HTTP/1.1\r\n")
    assert b"\r\nX-Subject: alice\r\n" in server.asked[0]


def test_a_closed_client_asks_nobody(serve: Any):
    server = serve([answer()])
    client = Client(server.url, path="a")
    client.close()
    with pytest.raises(ClosedError):
        client.decide({})
    with pytest.raises(QuestionError, match="subject_header"):
        client.decide({}, subject="alice")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8180",
        "https://sidecar",
        "http://host/path",
        "http://host?query",
        "http://host/#fragment",
        "http://user@host",
        "ftp://host",
        "http://127.0.0.1:0",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:port",
        "http://a..b",
        "http://.a",
        "http://sidecar-ü",
        "http://a b",
        "http://" + "a" * 64,
        "http://" + ".".join(["a"] * 130),
        "http://[::1",
        "http://[::g]",
        "unix:relative",
        "unix://host/run/sark/data.sock",
        "unix:/run/a?b",
        "unix:/run/a#b",
    ],
)
def test_an_address_that_is_none_is_refused(url: str):
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match="no place of a sidecar"):
            kind(url)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://127.0.0.1:8180", ("127.0.0.1", 8180, "")),
        ("http://side_car-1.apps.", ("side_car-1.apps.", 80, "")),
        ("http://[::1]:8180/", ("::1", 8180, "")),
        ("http://xn--sidecar-95a", ("xn--sidecar-95a", 80, "")),
        ("unix:/run/a b%20", ("", 0, "/run/a b%20")),
        ("unix:///run/a", ("", 0, "/run/a")),
    ],
)
def test_an_address_names_a_place(url: str, place: tuple[str, int, str]):
    assert parse_place(url) == Place(*place)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": float("inf")}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": 1e12}, "timeout"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1.0}, "timeout"),
        ({"max_connections": 0}, "max_connections"),
        ({"max_answer_bytes": 0}, "max_answer_bytes"),
        ({"subject_header": "X Subject"}, "no name of a header"),
    ],
)
def test_an_option_that_cannot_be_is_refused_when_the_client_is_made(options: dict[str, Any], message: str):
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match=message):
            kind("http://127.0.0.1:8180", **options)


def test_the_longest_time_is_one_that_sockets_take(serve: Any):
    server = serve([answer()], [answer()])
    assert ask_blocking(server.url, [{}], timeout=86_400)[0].allow
    assert ask_awaiting(server.url, [{}], timeout=86_400)[0].allow


def test_a_coroutine_that_is_cancelled_leaves_no_answer_to_the_next(serve: Any):
    server = serve([0.6], [answer(b'{"result":false}\n')])

    async def ask() -> Decision:
        async with AsyncClient(server.url, path="a") as client:
            first = asyncio.ensure_future(client.decide({}))
            await asyncio.to_thread(eventually, lambda: bool(server.asked), what="the first question came", seconds=20)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            return await client.decide({})

    assert not asyncio.run(ask()).allow
    assert server.connections == 2


def test_an_answer_that_comes_too_late_is_not_the_next_ones(serve: Any):
    # given an answer that comes when its question has been given up
    server = serve([b"HTTP/1.1 200 OK\r\n" + MORE + answer()], [answer(DENY)])
    with Client(server.url, path="a", timeout=0.3) as client:
        with pytest.raises(NoDecisionError, match="no answer within"):
            client.decide({})
        # when
        server._go.set()
        # then
        assert not client.decide({}).allow
    assert server.connections == 2


def test_an_answer_that_comes_too_late_is_not_the_next_coroutines(serve: Any):
    server = serve([b"HTTP/1.1 200 OK\r\n" + MORE + answer()], [answer(DENY)])

    async def ask() -> Decision:
        async with AsyncClient(server.url, path="a", timeout=0.3) as client:
            with pytest.raises(NoDecisionError, match="no answer within"):
                await client.decide({})
            server._go.set()
            return await client.decide({})

    assert not asyncio.run(ask()).allow
    assert server.connections == 2


def test_a_question_that_a_signal_breaks_off_leaves_no_answer_to_the_next(serve: Any):
    # given a signal that raises while an answer is waited for
    class BrokenOffError(Exception):
        pass

    def break_off(*_: Any) -> None:
        raise BrokenOffError

    server = serve([b"HTTP/1.1 200 OK\r\n" + MORE + answer()], [answer(DENY)])
    before = signal.signal(signal.SIGALRM, break_off)
    try:
        with Client(server.url, path="a") as client:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(BrokenOffError):
                client.decide({})
            server._go.set()
            # when, then
            assert not client.decide({}).allow
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert server.connections == 2


unasked = pytest.mark.parametrize("more", [answer(), b"\r\n"], ids=["an answer", "a line"])


@unasked
def test_what_comes_without_a_question_is_not_the_next_answer(serve: Any, more: bytes):
    # given a kept connection on which something came that nobody had asked for
    server = serve([answer(DENY) + MORE + more, answer()], [answer(DENY)])
    with Client(server.url, path="a") as client:
        client.decide({})
        server.more()
        # when, then
        assert not client.decide({}).allow
    assert server.connections == 2


@unasked
def test_what_comes_without_a_question_is_not_the_next_answer_to_a_coroutine(serve: Any, more: bytes):
    server = serve([answer(DENY) + MORE + more, answer()], [answer(DENY)])

    async def ask() -> Decision:
        async with AsyncClient(server.url, path="a") as client:
            await client.decide({})
            # Without the loop, which has no time to look at it.
            server.more()
            return await client.decide({})

    assert not asyncio.run(ask()).allow
    assert server.connections == 2


@both
@pytest.mark.parametrize("status", ["100 Continue", "103 Early Hints"])
def test_what_comes_before_an_answer_leaves_no_answer_to_the_next(serve: Any, ask: Any, status: str):
    # given a first answer that is none yet, names a length all the same, and is followed by the answer
    server = serve([answer(b"", status) + answer()])
    with pytest.raises(NoDecisionError, match="what comes before an answer"):
        ask(server.url, [{}])


# A client that was not closed before its loop was: asyncio says so of what its loop has left open.
left_open = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@left_open
def test_a_client_is_asked_on_one_event_loop_after_the_other(serve: Any):
    # given a client, and a server that listens to nobody else while a connection is open
    server = serve([answer()] * 3)
    client = AsyncClient(server.url, path="a")

    async def ask() -> list[bool]:
        return [(await client.decide({})).allow for _ in range(2)]

    # when each pair of questions is on a loop of its own
    told = [asyncio.run(ask()) for _ in range(3)]
    asyncio.run(client.close())
    gc.collect()
    # then each question was put once, and what the loop before had was closed
    assert told == [[True, True]] * 3
    assert (len(server.asked), server.connections) == (6, 3)


@left_open
def test_a_client_leaves_a_loop_that_stands_still(serve: Any):
    server = serve([answer()] * 3)
    client = AsyncClient(server.url, path="a")
    loops = [asyncio.new_event_loop() for _ in range(2)]
    for loop in (*loops, *loops):
        assert loop.run_until_complete(client.decide({})).allow
    assert server.connections == 4
    loops[1].run_until_complete(client.close())
    for loop in loops:
        loop.close()
    gc.collect()


def test_a_client_is_not_taken_from_a_loop_that_runs(serve: Any):
    # given a client of a loop that runs
    server = serve([answer()] * 3)
    client = AsyncClient(server.url, path="a")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def on_its_loop(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(20)

    try:
        assert on_its_loop(client.decide({})).allow
        # when it is asked or closed on another, then it says so, and the loop keeps it
        for work in (client.decide, lambda _: client.close()):
            with pytest.raises(NoDecisionError, match="another event loop's, which still runs"):
                asyncio.run(work({}))
            client._asking.is_closed = False
        assert on_its_loop(client.decide({})).allow
        assert (len(server.asked), server.connections) == (2, 1)
        on_its_loop(client.close())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


LARGE = {"text": "y" * 8_000_000}


@both
def test_a_question_that_is_refused_before_its_end_is_read_is_a_refused_one(serve: Any, ask: Any):
    # given a server that refuses it on a fresh connection, and on a kept one
    refusal = Refusal(answer(b'{"message":"too large"}', "413 Content Too Large"))
    server = serve([refusal], [answer(), refusal])
    # when, then
    for documents in ([LARGE], [{}, LARGE]):
        with pytest.raises(QuestionError, match="HTTP 413: too large"):
            ask(server.url, documents)
    assert server.connections == 2


@both
def test_a_decision_on_a_part_of_the_question_is_none(serve: Any, ask: Any):
    server = serve([Refusal(answer(b'{"result":true}'))])
    with pytest.raises(NoDecisionError, match="before the question was read to its end"):
        ask(server.url, [LARGE])
    assert server.connections == 1


def test_a_question_whose_connection_is_closed_in_the_middle_is_not_asked_again(serve: Any):
    server = serve([answer(), Refusal(b"")], [answer()])
    with Client(server.url, path="a") as client:
        client.decide({})
        with pytest.raises(NoDecisionError, match="closed before it had taken the question"):
            client.decide(LARGE)
    assert server.connections == 1


def test_what_sending_takes_of_the_time_is_not_given_to_the_answer(tmp_path: Path):
    # given a server that begins to read when most of the time is over, and never answers
    timeout, ended = 2.0, threading.Event()

    def read() -> None:
        connection, _ = listener.accept()
        with connection:
            ended.wait(0.9 * timeout)
            while connection.recv(1 << 20):
                pass

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        thread = threading.Thread(target=read)
        thread.start()
        # when
        began = time.monotonic()
        with (
            Client(f"unix:{tmp_path / 's'}", path="a", timeout=timeout) as client,
            pytest.raises(NoDecisionError, match="no answer within 2 s"),
        ):
            client.decide({"text": "y" * 1_000_000})
        took = time.monotonic() - began
        ended.set()
        thread.join()
    # then
    assert took < 1.5 * timeout


def test_the_addresses_of_a_name_share_the_time(monkeypatch: pytest.MonkeyPatch):
    # given a name of three addresses, of which none answers
    class Silent(socket.socket):
        def connect(self, _: Any) -> None:
            time.sleep(self.gettimeout() or 0)
            raise TimeoutError

    address = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 9))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address] * 3)
    monkeypatch.setattr(socket, "socket", Silent)
    began = time.monotonic()
    with Client("http://sidecar:8180", path="a", timeout=1.0) as client, pytest.raises(NoDecisionError, match="within 1 s"):
        client.decide({})
    assert time.monotonic() - began < 2.0
