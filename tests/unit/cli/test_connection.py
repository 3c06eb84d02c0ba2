"""How the API server is reached, and what is said where it is not."""

from __future__ import annotations

import argparse
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3.util import ssl_

from sark_cli import connection, rollouts
from sark_cli.connection import Connection, connect
from sark_cli.exit_code import ExitCode
from sark_cli.failure import CommandError, UnavailableError
from sark_cli.lint.server import ask_server
from sark_cli.rollouts import Rollouts, asked


def options(context: str) -> argparse.Namespace:
    return argparse.Namespace(kubeconfig="", context=context, namespace="")


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a pod without a kubeconfig, and return where one would be."""
    account = tmp_path / "account"
    account.mkdir()
    (account / "namespace").write_text("shop\n", encoding="utf-8")
    monkeypatch.setattr(connection, "_ACCOUNT", account)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    monkeypatch.setattr("kubernetes.config.load_incluster_config", lambda **_: None)
    return tmp_path / "config"


@pytest.mark.usefixtures("pod")
def test_a_pod_is_connected_by_its_service_account():
    assert connect(options(context="")).namespace == "shop"


def test_a_context_is_not_passed_over_in_a_pod_that_has_none(pod: Path):
    with pytest.raises(CommandError) as refused:
        connect(options(context="prod"))
    assert str(refused.value) == (
        f"there is no kubeconfig at {pod} to look up the context 'prod' in: give --kubeconfig, or leave --context out to use "
        "the service account of this pod"
    )


@pytest.mark.usefixtures("pod")
def test_whom_it_trusts_is_the_same_with_every_python(monkeypatch: pytest.MonkeyPatch):
    # Given the contexts that newer ones make
    made = ssl_.create_urllib3_context

    def strict(**options: Any) -> ssl.SSLContext:
        context = made(**options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl_, "create_urllib3_context", strict)

    # When the cluster's own authority was made without the identifier of its key, which they refuse
    context = connect(options(context="")).api.rest_client.pool_manager.connection_pool_kw["ssl_context"]

    # Then it is trusted, and nobody else
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_handshake_that_failed_is_told_by_its_reason():
    # Given what the client raises where nobody answered
    said = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1016)"

    def call() -> None:
        raise ApiException(status=0, reason=f"SSLError\n{said}")

    # Then the sentence has it
    with pytest.raises(CommandError) as refused:
        asked("https://10.0.0.1", "list SarkRollouts", call)
    assert str(refused.value) == f"cannot list SarkRollouts: the API server at https://10.0.0.1 cannot be reached: {said}"


@pytest.mark.parametrize(
    ("reason", "is_repeated"),
    [
        ("SSLError(SSLEOFError(8, '[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol'))", True),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired'))", False),
    ],
    ids=["broken off", "not trusted"],
)
def test_a_handshake_that_is_broken_off_may_be_tried_again(reason: str, is_repeated: bool):
    def fail() -> None:
        raise ApiException(status=0, reason=reason)

    with pytest.raises(CommandError) as failed:
        asked("https://kubernetes", "change it", fail)
    assert isinstance(failed.value, UnavailableError) is is_repeated


class DrippingServer(BaseHTTPRequestHandler):
    """One whose answers have no end: a byte now and then, in the head or in the body."""

    def _drip(self) -> None:
        with suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"" if self.server.in_head else b"\r\n"))  # type: ignore[attr-defined]
            while not self.server.over.wait(0.02):  # type: ignore[attr-defined]
                self.wfile.write(b"X: 1\r\n" if self.server.in_head else b" ")  # type: ignore[attr-defined]

    do_GET = do_PATCH = do_POST = _drip  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's signature
        """Say nothing."""


@pytest.fixture(params=[False, True], ids=["body", "head"])
def dripping(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setattr(rollouts, "WHOLE_SECONDS", 0.3)
    with ExitStack() as stack:
        server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), DrippingServer))
        server.in_head, server.over = request.param, threading.Event()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        stack.callback(server.shutdown)
        stack.callback(server.over.set)  # type: ignore[attr-defined]
        configuration = client.Configuration(host=f"http://127.0.0.1:{server.server_port}")
        configuration.retries = False  # type: ignore[assignment]
        yield Connection(client.ApiClient(configuration), "shop", configuration.host)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("what", "ask"),
    [
        ("get SarkRollout gateway in namespace shop", lambda door: Rollouts(door).get("shop", "gateway")),
        ("list SarkRollouts in all namespaces", lambda door: Rollouts(door).all("")),
        ("change SarkRollout gateway in namespace shop", lambda door: Rollouts(door).patch("shop", "gateway", [])),
        ("try SarkRollout gateway in namespace shop", lambda door: ask_server(door, {"metadata": {"name": "gateway"}})),
    ],
)
def test_an_api_server_that_drips_holds_no_command(dripping: Connection, what: str, ask: Callable[[Connection], Any]):
    # When a call's answer comes byte by byte, then it is given up, and may be asked again
    with pytest.raises(UnavailableError) as failed:
        ask(dripping)
    said = f"cannot {what}: the API server at {dripping.server} does not come to an end of its answer within 0.3 s"
    assert (str(failed.value), failed.value.code) == (said, ExitCode.FAILED)
