"""TLS and tokens at the data port, spoken by Python's own TLS: who gets in, and that nothing is lost on the way."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sark_engine import Engine, Server

from sark_e2e.certificates import Authority

from .conftest import DataPlane, serve_jobs

Secured = Callable[..., DataPlane]
BODY = json.dumps({"input": {"user": {"id": "alice"}}}).encode()
REFUSED = {"code": "unauthorized", "message": "request rejected by administrative policy"}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def secured(engine: Engine) -> Iterator[Secured]:
    """Start a data plane with TLS, tokens, or both; its jobs are answered."""
    stopping = threading.Event()
    begun: list[tuple[DataPlane, threading.Thread]] = []

    def begin(tls: Any = None, tokens: Any = None, answer: Any = DataPlane.answer, **options: Any) -> DataPlane:
        server = Server(engine, **options)
        if tls is not None:
            use(server, *tls)
        if tokens is not None:
            server.set_tokens(tokens)
        plane = DataPlane(server, server.start())
        plane.flags()
        thread = threading.Thread(target=serve_jobs, args=(plane, answer, stopping))
        thread.start()
        begun.append((plane, thread))
        return plane

    yield begin
    stopping.set()
    for plane, thread in begun:
        thread.join()
        plane.server.drain(0.0)


def use(server: Server, certificate: Path, key: Path, authorities: Path | None = None, version: str = "1.2") -> None:
    server.set_tls(
        certificate.read_bytes(),
        key.read_bytes(),
        client_authorities=authorities.read_bytes() if authorities else None,
        min_version=version,
    )


def trusting(authority: Authority, shown: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.certificate)
    if shown is not None:
        context.load_cert_chain(*shown)
    return context


def connect(plane: DataPlane, context: ssl.SSLContext) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", plane.port), timeout=20)
    try:
        return context.wrap_socket(raw, server_hostname="127.0.0.1")
    except BaseException:
        raw.close()
        raise


def post(path: str, body: bytes = BODY, headers: str = "") -> bytes:
    return f"POST /v1/data/{path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def answers(connection: socket.socket, count: int) -> list[tuple[int, Any]]:
    """Read so many answers."""
    read, found = b"", []
    while len(found) < count:
        head, separator, rest = read.partition(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        if separator and len(rest) >= length:
            found.append((int(head[9:12]), json.loads(rest[:length])))
            read = rest[length:]
            continue
        more = connection.recv(65_536)
        if not more:
            raise EOFError(f"{len(found)} of {count} answers, then {read!r}")
        read += more
    return found


def ask(plane: DataPlane, context: ssl.SSLContext, headers: str = "") -> tuple[int, Any]:
    with connect(plane, context) as connection:
        connection.sendall(post("authz/allow", headers=headers))
        return answers(connection, 1)[0]


@pytest.fixture
def server_pair(authority: Authority) -> tuple[Path, Path]:
    return authority.server("data", ["127.0.0.1"], [])


def test_both_arms_answer_over_tls_also_many_requests_at_once(
    secured: Secured, authority: Authority, server_pair: tuple[Path, Path]
):
    plane = secured(tls=server_pair)
    for percentage in (100, 0):
        plane.flags(percentage=percentage)
        with connect(plane, trusting(authority)) as connection:
            connection.sendall(post("authz/allow") * 50)
            assert answers(connection, 50) == [(200, {"result": True})] * 50
    # Plain HTTP gets no answer and does no harm
    with socket.create_connection(("127.0.0.1", plane.port), timeout=20) as plain:
        plain.sendall(post("authz/allow"))
        assert b"200 OK" not in plain.recv(1000)
    assert ask(plane, trusting(authority)) == (200, {"result": True})
    assert plane.metric("sark_requests_refused_total", reason="handshake") == 1


@pytest.mark.parametrize("tls", [True, False])
def test_what_is_sent_while_an_answer_is_waited_for_is_not_forgotten(
    secured: Secured, authority: Authority, server_pair: tuple[Path, Path], tls: bool
):
    # Given a request that waits for the baseline
    held = threading.Event()

    def answer(plane: DataPlane, job: Any) -> None:
        held.wait(20)
        plane.answer(job)

    plane = secured(tls=server_pair if tls else None, answer=answer, idle_timeout_seconds=20.0, body_timeout_seconds=20.0)
    plane.flags(percentage=0)
    raw = socket.create_connection(("127.0.0.1", plane.port), timeout=20)
    with trusting(authority).wrap_socket(raw, server_hostname="127.0.0.1") if tls else raw as connection:
        connection.sendall(post("authz/allow"))
        time.sleep(0.2)
        # When a request that is larger than one look at the socket follows, all of it before the answer
        large = json.dumps({"input": {"user": {"id": "alice"}, "note": "x" * 60_000}}).encode()
        connection.sendall(post("authz/allow", large) + post("authz/allow"))
        time.sleep(0.2)
        held.set()
        # Then all are answered
        assert answers(connection, 3) == [(200, {"result": True})] * 3


def test_a_large_answer_reaches_a_client_that_reads_slowly(
    secured: Secured, authority: Authority, server_pair: tuple[Path, Path]
):
    text = b'{"result":"' + b"x" * 8_000_000 + b'"}\n'
    plane = secured(
        tls=server_pair,
        answer=lambda plane, job: plane.server.complete(job.id, 200, text, outcome="deny"),
        write_timeout_seconds=20.0,
    )
    plane.flags(percentage=0)
    with connect(plane, trusting(authority)) as connection:
        connection.sendall(post("authz/allow"))
        time.sleep(0.3)
        ((status, body),) = answers(connection, 1)
    assert (status, len(body["result"])) == (200, 8_000_000)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_an_older_version_than_allowed_is_refused(
    secured: Secured, authority: Authority, server_pair: tuple[Path, Path], version: str
):
    plane = secured(tls=(*server_pair, None, version))
    old = trusting(authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    if version == "1.2":
        assert ask(plane, old)[0] == 200
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(plane, old)
    assert ask(plane, trusting(authority))[0] == 200


def test_only_a_client_with_a_good_certificate_gets_in(
    secured: Secured, authority: Authority, server_pair: tuple[Path, Path], tmp_path: Path
):
    plane = secured(tls=(*server_pair, authority.certificate))
    assert ask(plane, trusting(authority, authority.client("app", "team"))) == (200, {"result": True})
    stranger = Authority(tmp_path / "stranger").client("app", "team")
    expired = authority.client("old", "team", expired=True)
    for shown in (None, stranger, expired, server_pair):
        with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
            ask(plane, trusting(authority, shown))
    assert plane.metric("sark_requests_total", implementation="rust", result="allow") == 1


def test_a_client_trusts_no_expired_or_foreign_server(secured: Secured, authority: Authority, tmp_path: Path):
    plane = secured(tls=authority.server("expired", ["127.0.0.1"], [], expired=True))
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(plane, trusting(authority))
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(plane, trusting(Authority(tmp_path / "other")))


def test_certificates_are_replaced_under_load_without_a_lost_request(
    secured: Secured, authority: Authority, server_pair: tuple[Path, Path]
):
    plane = secured(tls=server_pair)
    context, ending = trusting(authority), threading.Event()
    counts, failures, serials = [0, 0], [], set()

    def load(number: int) -> None:
        while not ending.is_set():
            try:
                with connect(plane, context) as connection:
                    serials.add((connection.getpeercert() or {})["serialNumber"])
                    for _ in range(5):
                        connection.sendall(post("authz/allow"))
                        assert answers(connection, 1) == [(200, {"result": True})]
                        counts[number] += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a lost request
                failures.append(error)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for number in range(10):
        use(plane.server, *authority.server(f"renewed-{number}", ["127.0.0.1"], []))
        # And what cannot be used changes nothing
        with pytest.raises(ValueError, match="certificate"):
            plane.server.set_tls(server_pair[0].read_bytes(), authority.client("other", "x")[1].read_bytes())
        time.sleep(0.1)
    ending.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert min(counts) > 0
    assert len(serials) > 1


def test_what_was_sent_before_the_drain_is_answered_over_tls(
    secured: Secured, authority: Authority, server_pair: tuple[Path, Path]
):
    plane = secured(tls=server_pair)
    with connect(plane, trusting(authority)) as connection:
        connection.sendall(post("authz/allow"))
        assert answers(connection, 1)[0][0] == 200
        connection.sendall(post("authz/allow") * 20)
        assert plane.server.drain(10.0)
        assert answers(connection, 20) == [(200, {"result": True})] * 20
        # And the end is said in TLS' own way, so that it cannot be mistaken for a cut line
        assert connection.recv(100) == b""


def test_half_a_handshake_holds_no_place_for_ever(secured: Secured, authority: Authority, server_pair: tuple[Path, Path]):
    plane = secured(tls=server_pair, max_connections=1, header_timeout_seconds=0.5)
    with socket.create_connection(("127.0.0.1", plane.port), timeout=20) as silent:
        silent.sendall(b"\x16\x03\x01")
        deadline = time.monotonic() + 20
        while True:
            try:
                assert ask(plane, trusting(authority))[0] == 200
                break
            except (ssl.SSLError, OSError, EOFError):
                assert time.monotonic() < deadline
                time.sleep(0.1)


def test_a_request_needs_a_token_on_every_path(secured: Secured):
    plane = secured(tokens=["first", "second"])
    paths = [
        "/v1/data/authz/allow",
        "/v0/data/authz/allow",
        "/v1/batch/data/authz/allow",
        "/health",
        "/metrics",
        "/nothing",
        "/v1/query",
    ]
    for path in paths:
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "Basic first"},
            {"Authorization": "Bearer firstx"},
        ):
            reply = plane.request("POST", path, BODY, headers)
            assert (reply.status, reply.json, reply.headers["www-authenticate"]) == (401, REFUSED, "Bearer"), path
    assert plane.metric("sark_requests_refused_total", reason="unauthorized") == len(paths) * 4
    assert plane.jobs == []
    for token in ("first", "second"):
        reply = plane.request("POST", "/v1/data/authz/allow", BODY, {"Authorization": f"Bearer {token}"})
        assert (reply.status, reply.json) == (200, {"result": True})
    # When they are replaced, only the new ones count, also on connections that are open
    with socket.create_connection(("127.0.0.1", plane.port), timeout=20) as connection:
        for token, status in (("first", 200), ("third", 401)):
            connection.sendall(post("authz/allow", headers=f"Authorization: Bearer {token}\r\n"))
            assert answers(connection, 1)[0][0] == status
        plane.server.set_tokens(["third"])
        for token, status in (("first", 401), ("third", 200)):
            connection.sendall(post("authz/allow", headers=f"Authorization: Bearer {token}\r\n"))
            assert answers(connection, 1)[0][0] == status


def test_what_cannot_be_used_is_refused_and_never_shown(engine: Engine, authority: Authority, server_pair: tuple[Path, Path]):
    server = Server(engine)
    certificate, key = (path.read_bytes() for path in server_pair)
    for bad, sentence in [
        ((b"", key), "the certificate: there is none"),
        ((certificate, b"secret"), "the private key: there is none"),
        ((certificate, authority.client("x", "y")[1].read_bytes()), "certificate and private key"),
    ]:
        with pytest.raises(ValueError, match=sentence) as caught:
            server.set_tls(*bad)
        assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="authorities of clients"):
        server.set_tls(certificate, key, client_authorities=b"none")
    with pytest.raises(ValueError, match="min_version"):
        server.set_tls(certificate, key, min_version="1.1")
    for tokens in ([], [""], ["a b"]):
        with pytest.raises(ValueError, match="token"):
            server.set_tokens(tokens)
    server.start()
    # A server that has begun without them cannot be secured any more: some would have come in before
    with pytest.raises(ValueError, match="before the server starts"):
        server.set_tls(certificate, key)
    with pytest.raises(ValueError, match="before the server starts"):
        server.set_tokens(["a"])
    server.drain(0.0)
