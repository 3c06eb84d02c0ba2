"""How a rollback's second witnesses are asked: openly, by TLS for a name, with a token; and what is said when that is wrong."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from kubernetes import client

from sark_cli import sidecars
from sark_cli.connection import Connection
from sark_cli.failure import CommandError
from sark_cli.rollout import Rollout
from sark_cli.rollouts import Rollouts
from sark_cli.sidecar_config import sidecar_access
from sark_cli.sidecars import Answer, ask_sidecars
from sark_e2e.certificates import Authority

TOKEN = "hush-1"
REPORT = {"state": "watching", "revision": 7, "percentage": 0, "rollout": "shop/gateway", "since": "2026-01-01T00:00:00.000Z"}


class AdminPort(BaseHTTPRequestHandler):
    """Tells its flags to whoever shows the token."""

    def do_GET(self) -> None:
        """Answer."""
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        body = json.dumps(REPORT).encode() if known else b"{}"
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's signature
        """Say nothing."""


class Quiet(HTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who trusts nobody hangs up; that is the test."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def port(authority: Authority) -> Iterator[int]:
    """A sidecar's admin port with TLS; its certificate is for a name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.server("sidecar", [], ["sidecar.sark"]))
    with ExitStack() as stack:
        server = stack.enter_context(Quiet(("127.0.0.1", 0), AdminPort))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        stack.callback(server.shutdown)
        yield server.server_address[1]


@pytest.fixture
def ask(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: Callable[[str], dict[str, Any]], port: int
) -> Callable[..., Answer]:
    """Ask the one pod there is, as a file with this entry says; without an entry there is no file."""
    monkeypatch.setattr(sidecars, "_ready", lambda *_: [("gateway-0", "127.0.0.1")])
    object_ = body("reverted")

    def asked(entry: dict[str, Any] | None = None, *, direct: bool = True, port: int = port) -> Answer:
        object_["spec"]["target"]["adminPort"] = port
        rollout = Rollout.from_object(object_)
        file = ""
        if entry is not None:
            (tmp_path / "sidecars.yaml").write_text(yaml.safe_dump({"sidecars": [entry]}), encoding="utf-8")
            file = str(tmp_path / "sidecars.yaml")
        (answer,) = ask_sidecars(None, rollout, sidecar_access(file), direct=direct)  # type: ignore[arg-type]  # no API is asked
        return answer

    return asked


@pytest.fixture
def bearer(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
    return {"authorization": {"credentials_file": str(tmp_path / "token")}}


def test_a_sidecar_with_tls_and_a_token_answers(ask: Callable[..., Answer], authority: Authority, bearer: dict[str, Any]):
    tls = {"ca_file": str(authority.certificate), "server_name": "sidecar.sark"}
    assert ask({"tls_config": tls, **bearer}) == Answer("gateway-0", 7, 0, "shop/gateway")


def test_one_that_is_not_asked_as_it_wants_says_what_to_mend(
    ask: Callable[..., Answer], authority: Authority, bearer: dict[str, Any], tmp_path: Path
):
    tls = {"ca_file": str(authority.certificate), "server_name": "sidecar.sark"}
    strange = {"ca_file": str(Authority(tmp_path / "other").certificate), "server_name": "sidecar.sark"}
    assert "HTTP 401: it wants a token, which --sidecar-config must name" in ask({"tls_config": tls}).problem
    assert "certificate verify failed" in ask({"tls_config": strange, **bearer}).problem
    # Its certificate is not for the address.
    assert "certificate verify failed" in ask({"tls_config": {"ca_file": str(authority.certificate)}, **bearer}).problem
    openly = ask()
    assert openly.percent is None
    assert "--sidecar-config must name its authority" in openly.problem


class OddPort(BaseHTTPRequestHandler):
    """Answers as its server's `body` says: a part that is sent, so many times."""

    def do_GET(self) -> None:
        """Answer, until nobody reads any more."""
        status, part, times = self.server.body  # type: ignore[attr-defined]
        self.send_response(status)
        self.end_headers()
        try:
            for _ in range(times):
                self.wfile.write(part)
                self.server.sent += len(part)  # type: ignore[attr-defined]
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's signature
        """Say nothing."""


@pytest.fixture
def odd() -> Iterator[HTTPServer]:
    with ExitStack() as stack:
        server = stack.enter_context(HTTPServer(("127.0.0.1", 0), OddPort))
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        stack.callback(server.shutdown)
        server.sent = 0  # type: ignore[attr-defined]
        yield server


@pytest.fixture
def ask_odd(odd: HTTPServer, monkeypatch: pytest.MonkeyPatch, body: Callable[[str], dict[str, Any]]) -> Callable[..., Answer]:
    """Ask a sidecar that answers as it likes, at its own address or through an API server that is the same server."""
    monkeypatch.setattr(sidecars, "_ready", lambda *_: [("gateway-0", "127.0.0.1")])
    object_ = body("reverted")
    object_["spec"]["target"]["adminPort"] = odd.server_port
    rollout = Rollout.from_object(object_)
    configuration = client.Configuration(host=f"http://127.0.0.1:{odd.server_port}")
    configuration.retries = False  # type: ignore[assignment]
    rollouts = Rollouts(Connection(client.ApiClient(configuration), "shop", configuration.host))

    def asked(part: bytes, times: int, *, direct: bool, status: int = 200) -> Answer:
        odd.body = (status, part, times)  # type: ignore[attr-defined]
        (answer,) = ask_sidecars(rollouts, rollout, sidecar_access(""), direct=direct)
        return answer

    return asked


@pytest.mark.parametrize("direct", [True, False])
def test_an_odd_answer_is_a_problem_of_that_sidecar(direct: bool, ask_odd: Callable[..., Answer]):
    assert ask_odd(b"[" * 200_000, 1, direct=direct).problem == "its answer cannot be read: RecursionError"
    assert ask_odd(b"{}", 1, direct=direct).problem == "its answer has an unexpected form"
    assert ask_odd(json.dumps(REPORT).encode(), 1, direct=direct) == Answer("gateway-0", 7, 0, "shop/gateway")


@pytest.mark.parametrize("direct", [True, False])
def test_an_answer_without_end_is_not_read_to_its_end(direct: bool, ask_odd: Callable[..., Answer], odd: HTTPServer):
    part = b" " * 1_048_576
    assert "its answer is longer than 1,048,576 bytes" in ask_odd(part, 200, direct=direct).problem
    assert "500" in ask_odd(part, 200, direct=direct, status=500).problem
    assert odd.sent < 200 * len(part)  # type: ignore[attr-defined]


class SlowPort(BaseHTTPRequestHandler):
    """Answers well in the end, and before that so slowly that no single wait is long: in its body, or already in its head."""

    def do_GET(self) -> None:
        """Answer, until nobody reads any more."""
        head, pieces = b"HTTP/1.0 200 OK\r\n", [b"\r\n", *[b" "] * 60]
        if self.server.slow_head:  # type: ignore[attr-defined]
            pieces = [*[b"X: 1\r\n"] * 60, b"\r\n"]
        try:
            self.wfile.write(head)
            for piece in pieces:
                self.wfile.write(piece)
                self.server.patience.wait(0.05)  # type: ignore[attr-defined]
            self.wfile.write(json.dumps(REPORT).encode())
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's signature
        """Say nothing."""


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, odd: HTTPServer) -> Iterator[HTTPServer]:
    monkeypatch.setattr(sidecars, "DIRECT_SECONDS", 0.3)
    monkeypatch.setattr(sidecars, "PROXIED_SECONDS", 0.3)
    odd.RequestHandlerClass = SlowPort
    odd.patience, odd.slow_head = threading.Event(), False  # type: ignore[attr-defined]
    yield odd
    odd.patience.set()  # type: ignore[attr-defined]


@pytest.mark.parametrize("direct", [True, False])
def test_an_answer_that_comes_byte_by_byte_is_not_waited_for(direct: bool, ask_odd: Callable[..., Answer], slow: HTTPServer):
    answer = ask_odd(b"", 0, direct=direct)
    assert (answer.percent, answer.problem) == (None, "it does not come to an end of its answer within 0.3 s")


def test_a_head_that_comes_byte_by_byte_is_not_waited_for(ask_odd: Callable[..., Answer], slow: HTTPServer):
    slow.slow_head = True  # type: ignore[attr-defined]
    answer = ask_odd(b"", 0, direct=True)
    assert (answer.percent, answer.problem) == (None, "it does not come to an end of its answer within 0.3 s")


def test_a_handshake_that_does_not_end_is_not_waited_for(
    ask: Callable[..., Answer], authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    # Given a server that lets one connect, and speaks no TLS or anything else but a byte at a time
    monkeypatch.setattr(sidecars, "DIRECT_SECONDS", 0.3)
    tls = {"ca_file": str(authority.certificate), "server_name": "sidecar.sark"}
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
        over = stack.enter_context(over_at_the_end())

        def drip() -> None:
            peer, _ = listener.accept()
            with peer, suppress(OSError):
                for byte in b"\x16\x03\x03\x40\x00\x02" + bytes(60):
                    peer.sendall(bytes([byte]))
                    over.wait(0.05)

        threading.Thread(target=drip, daemon=True).start()
        answer = ask({"tls_config": tls}, port=listener.getsockname()[1])
    assert (answer.percent, answer.problem) == (None, "it does not come to an end of its answer within 0.3 s")


@contextmanager
def over_at_the_end() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_those_whose_turn_does_not_come_in_time_are_not_asked(
    body: Callable[[str], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
):
    # Given sidecars, and no time to ask them
    names = ["gateway-0", "gateway-1"]
    monkeypatch.setattr(sidecars, "_ready", lambda *_: [(name, "127.0.0.1") for name in names])
    monkeypatch.setattr(sidecars, "HEARING_SECONDS", 0.0)
    monkeypatch.setattr(sidecars, "_direct", lambda *_: json.dumps(REPORT).encode())
    answers = ask_sidecars(None, Rollout.from_object(body("reverted")), sidecar_access(""), direct=True)  # type: ignore[arg-type]
    assert [answer.pod for answer in answers] == names
    assert {answer.problem for answer in answers} == {"not asked: the others took longer than 0 s"}


class ApiServer(BaseHTTPRequestHandler):
    """Lists more than five thousand ready pods, as many on a page as are asked for."""

    def do_GET(self) -> None:
        """Answer."""
        asked = parse_qs(urlsplit(self.path).query)
        first, limit = int(asked.get("continue", ["0"])[0]), int(asked["limit"][0])
        names = [f"gateway-{number:04}" for number in range(5_200)]
        token = str(first + limit) if first + limit < len(names) else ""
        body = json.dumps({"metadata": {"continue": token}, "items": [_pod(name) for name in names[first : first + limit]]})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's signature
        """Say nothing."""


def _pod(name: str) -> dict[str, Any]:
    status = {"podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": {"name": name}, "status": status}


def test_no_pod_is_left_out_however_many_there_are(body: Callable[[str], dict[str, Any]], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sidecars, "_direct", lambda *_: json.dumps(REPORT).encode())
    with ExitStack() as stack:
        server = stack.enter_context(HTTPServer(("127.0.0.1", 0), ApiServer))
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        stack.callback(server.shutdown)
        configuration = client.Configuration(host=f"http://127.0.0.1:{server.server_port}")
        rollouts = Rollouts(Connection(client.ApiClient(configuration), "shop", configuration.host))
        answers = ask_sidecars(rollouts, Rollout.from_object(body("reverted")), sidecar_access(""), direct=True)
    assert [answer.pod for answer in answers] == [f"gateway-{number:04}" for number in range(5_200)]


def test_a_token_is_not_sent_through_the_api_server(ask: Callable[..., Answer], bearer: dict[str, Any]):
    with pytest.raises(CommandError, match="use --ask direct"):
        ask(bearer, direct=False)


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path):
    with pytest.raises(CommandError, match=r"--sidecar-config: .*none\.yaml cannot be read"):
        sidecar_access(str(tmp_path / "none.yaml"))
