"""A whole sidecar with TLS and tokens on both ports: certificates that change, and what SIGHUP reads again."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from sark_cli.sidecars import _direct
from sark_e2e.certificates import VALIDITY, Authority
from sark_e2e.deadline import eventually
from sark_e2e.loopback import LoopbackNetwork
from sark_operator.shell.api import ReadyPod
from sark_operator.shell.sidecar_access import PLAIN, SidecarAccess
from sark_operator.shell.sidecars import SidecarDirectory, open_session
from sark_sidecar.admin.connection import FIRST_REQUEST_SECONDS

from .conftest import RunningSidecar, StartSidecar, is_closed

NEW = {"rust_opa_enabled": True, "rust_cache_enabled": True, "rollout_percentage": 100}
CANARY = "canary-4711-secret"
QUESTION = json.dumps({"input": {"user": {"id": "u"}, "action": "invoke"}}).encode()
DECISION = "/v1/data/mcp/gateway/decision"
UNAUTHORIZED = {"code": "unauthorized", "message": "request rejected by administrative policy"}


class Secured:
    """A sidecar with TLS on both ports of one address, and its files."""

    def __init__(self, start: StartSidecar, network: LoopbackNetwork, folder: Path, **sections: dict[str, Any]) -> None:
        self.authority = Authority(folder / "authority")
        self.address = network.pod()
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"
        self.tokens = folder / "tokens"
        self.tokens.write_text(f"{CANARY}-a\n{CANARY}-b\n", encoding="utf-8")
        self.issue("first")
        listener = {
            "host": self.address,
            "tls": {"cert_file": str(self.certificate), "key_file": str(self.key)},
            "authentication": "token",
            "token_file": str(self.tokens),
        }
        self.sidecar: RunningSidecar = start(
            wait=False,
            feature_flags=NEW,
            data={**listener, **sections.get("data", {})},
            admin={**listener, **sections.get("admin", {})},
        )
        eventually(lambda: self.sidecar.running and self.is_ready(), what="a ready sidecar", seconds=30)

    def issue(self, name: str, *, key: bool = True) -> None:
        """Put another certificate in place, with its key or without."""
        certificate, private = self.authority.server(name, [self.address], [])
        shutil.copy(certificate, self.certificate)
        if key:
            shutil.copy(private, self.key)

    def is_ready(self) -> bool:
        try:
            return self.admin("/ready")[0] == 200
        except OSError:
            return False

    def ask(self, port: int, method: str, path: str, body: bytes | None = None, token: str = f"{CANARY}-a") -> tuple[int, Any]:
        context = ssl.create_default_context(cafile=self.authority.certificate)
        connection = http.client.HTTPSConnection(self.address, port, context=context, timeout=20)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {token}"} if token else {})
            reply = connection.getresponse()
            raw = reply.read()
        finally:
            connection.close()
        try:
            return reply.status, json.loads(raw)
        except ValueError:
            return reply.status, raw.decode()

    def admin(self, path: str, token: str = f"{CANARY}-a") -> tuple[int, Any]:
        return self.ask(8182, "GET", path, token=token)

    def decide(self, token: str = f"{CANARY}-a") -> tuple[int, Any]:
        return self.ask(8180, "POST", DECISION, QUESTION, token=token)

    def serial(self, port: int) -> str:
        """Number of the certificate that new connections see."""
        context = ssl.create_default_context(cafile=self.authority.certificate)
        with (
            socket.create_connection((self.address, port), timeout=20) as raw,
            context.wrap_socket(raw, server_hostname=self.address) as connection,
        ):
            return str((connection.getpeercert() or {})["serialNumber"])

    def credentials(self) -> Any:
        return self.admin("/v1/status")[1]["credentials"]

    def hang_up(self) -> None:
        self.sidecar.send(signal.SIGHUP)


@pytest.fixture
def secured(start_sidecar: StartSidecar, network: LoopbackNetwork, tmp_path: Path) -> Secured:
    return Secured(start_sidecar, network, tmp_path)


def test_nobody_asks_either_port_without_a_token(secured: Secured):
    for token in ("", "wrong", f"{CANARY}-ax"):
        for path in ("/flags", "/metrics", "/v1/status", "/health", "/ready", "/policies", "/none"):
            assert secured.admin(path, token=token) == (401, UNAUTHORIZED)
        assert secured.decide(token=token) == (401, UNAUTHORIZED)
    for token in (f"{CANARY}-a", f"{CANARY}-b"):
        assert secured.decide(token=token)[0] == 200
        assert secured.admin("/flags", token=token)[0] == 200
    for port in (8180, 8182):
        plain = http.client.HTTPConnection(secured.address, port, timeout=20)
        plain.request("GET", "/health")
        with closing(plain), pytest.raises((http.client.HTTPException, ConnectionError)):
            plain.getresponse()
    shown = [json.dumps(secured.admin(path)) for path in ("/v1/status", "/metrics", "/flags")]
    shown += [json.dumps(secured.ask(8180, "GET", path)) for path in ("/v1/config", "/v1/status")]
    secured.sidecar.stop()
    assert CANARY not in "".join(shown) + secured.sidecar.log.read_text(encoding="utf-8")


@pytest.mark.asyncio
async def test_the_operator_asks_it_with_tls_and_a_token(secured: Secured, tmp_path: Path):
    # Given what the operator is told of the sidecars of one namespace
    token, file = tmp_path / "operator-token", tmp_path / "sidecars.yaml"
    token.write_text(f"{CANARY}-b\n", encoding="utf-8")
    entry = {
        "namespaces": ["shop"],
        "authorization": {"credentials_file": str(token)},
        "tls_config": {"ca_file": str(secured.authority.certificate)},
    }
    file.write_text(json.dumps({"sidecars": [entry]}), encoding="utf-8")
    pods = [ReadyPod("gateway-0", secured.address)]
    async with open_session() as session:
        directory = SidecarDirectory(session, SidecarAccess.load(file))
        # When it asks, then it reads what is applied
        (report,) = await directory.reports(pods, 8182, "shop")
        assert (report.error, report.percent) == ("", 100)
        # And the command asks in the same way after a rollback
        told = await asyncio.to_thread(_direct, SidecarAccess.load(file).way("shop"), 8182, "gateway-0", secured.address)
        assert json.loads(told)["percentage"] == 100
        with pytest.raises(ValueError, match="--sidecar-config must name its authority"):
            await asyncio.to_thread(_direct, PLAIN, 8182, "gateway-0", secured.address)
        # And a sidecar of another namespace gets no token, and says nothing
        (report,) = await directory.reports(pods, 8182, "other")
        assert "if it speaks TLS, --sidecar-config of the operator must name its authority" in report.error
        # When the sidecar's certificate and tokens are replaced, then it goes on asking once it has the new token
        secured.issue("second")
        secured.tokens.write_text(f"{CANARY}-c\n", encoding="utf-8")
        secured.hang_up()
        await eventually_says(directory, pods, "HTTP 401")
        token.write_text(f"{CANARY}-c\n", encoding="utf-8")
        await eventually_says(directory, pods, "")


async def eventually_says(directory: SidecarDirectory, pods: list[ReadyPod], problem: str) -> None:
    async with asyncio.timeout(30):
        while True:
            (report,) = await directory.reports(pods, 8182, "shop")
            if (problem in report.error) if problem else report.error == "":
                return
            await asyncio.sleep(0.1)


def test_files_that_change_are_used_and_broken_ones_are_not(secured: Secured):
    # Given clients that never stop asking
    ending, failures, answered = threading.Event(), [], [0]

    def load() -> None:
        while not ending.is_set():
            try:
                assert secured.decide(token=f"{CANARY}-b")[0] == 200
                assert secured.admin("/health", token=f"{CANARY}-b")[0] == 200
                answered[0] += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a lost request
                failures.append(error)

    client = threading.Thread(target=load)
    client.start()
    before = {port: secured.serial(port) for port in (8180, 8182)}
    # When a certificate comes without its key, then the old pair serves, and it is told why
    secured.issue("second", key=False)
    secured.hang_up()
    eventually(
        lambda: all(secured.credentials()[name]["problem"] for name in ("data.tls", "admin.tls")),
        what="two problems",
        seconds=30,
    )
    assert {port: secured.serial(port) for port in before} == before
    metrics = secured.admin("/metrics")[1]
    assert 'sark_credentials_stale{sark_rollout=""} 1' in metrics
    assert 'sark_credential_failures_total{sark_rollout=""} 2' in metrics
    for listener in ("data", "admin"):
        assert 0 < secured.credentials()[f"{listener}.tls"]["seconds_left"] <= VALIDITY.total_seconds()
        assert f'sark_{listener}_certificate_left_seconds{{sark_rollout=""}} ' in metrics
    # When the pair is whole again, then it serves on both ports without anybody being told
    secured.issue("third")
    eventually(lambda: all(secured.serial(port) != before[port] for port in before), what="the new certificate", seconds=30)
    eventually(lambda: not any(one["problem"] for one in secured.credentials().values()), what="no problem", seconds=30)
    # When tokens are replaced, then the others count no longer
    secured.tokens.write_text(f"{CANARY}-b\n{CANARY}-c\n", encoding="utf-8")
    secured.hang_up()
    eventually(lambda: secured.decide(token=f"{CANARY}-c")[0] == 200, what="the new token", seconds=30)
    eventually(lambda: secured.admin("/flags", token=f"{CANARY}-c")[0] == 200, what="the new token", seconds=30)
    assert secured.decide() == (401, UNAUTHORIZED)
    # When there are none any more, then those before still count
    secured.tokens.write_text("", encoding="utf-8")
    secured.hang_up()
    eventually(
        lambda: "1 to 64 tokens" in secured.admin("/v1/status", token=f"{CANARY}-c")[1]["credentials"]["data"]["problem"],
        what="the problem",
        seconds=30,
    )
    assert secured.decide(token=f"{CANARY}-c")[0] == 200
    assert secured.decide(token="")[0] == 401
    ending.set()
    client.join()
    assert failures == []
    assert answered[0] > 0
    assert CANARY not in secured.sidecar.log.read_text(encoding="utf-8")


def test_clients_must_show_certificates(start_sidecar: StartSidecar, network: LoopbackNetwork, tmp_path: Path):
    authority, address = Authority(tmp_path / "authority"), network.pod()
    certificate, key = authority.server("both", [address], [])
    tls = {"cert_file": str(certificate), "key_file": str(key), "ca_file": str(authority.certificate)}
    listener = {"host": address, "tls": tls, "authentication": "tls"}
    sidecar = start_sidecar(wait=False, feature_flags=NEW, data=listener, admin=listener)

    def ask(port: int, path: str, shown: tuple[Path, Path] | None) -> int:
        context = ssl.create_default_context(cafile=authority.certificate)
        if shown is not None:
            context.load_cert_chain(*shown)
        connection = http.client.HTTPSConnection(address, port, context=context, timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (ssl.SSLError, ConnectionError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    good = authority.client("app", "team")
    eventually(lambda: sidecar.running and ask(8182, "/ready", good) == 200, what="a ready sidecar", seconds=30)
    assert ask(8180, DECISION, good) == 200
    strangers = [None, Authority(tmp_path / "other").client("app", "team"), authority.client("old", "team", expired=True)]
    assert [ask(port, "/health", shown) for port in (8180, 8182) for shown in strangers] == [0] * 6


def test_who_never_shakes_hands_holds_no_more_than_the_connections_of_the_admin_port(
    start_sidecar: StartSidecar, network: LoopbackNetwork, tmp_path: Path
):
    most, others = 8, 10
    secured = Secured(start_sidecar, network, tmp_path, admin={"max_connections": most})

    def descriptors() -> int:
        return len(list(Path(f"/proc/{secured.sidecar.pid}/fd").iterdir()))

    before = descriptors()
    with ExitStack() as stack:
        # Given somebody who opens one connection after the other, and says nothing on any
        address = (secured.address, 8182)
        held = [stack.enter_context(socket.create_connection(address, timeout=20)) for _ in range(300)]

        # Then the process holds a few of them, long before the time for a handshake is over
        eventually(lambda: descriptors() <= before + most + others, what="few descriptors", seconds=FIRST_REQUEST_SECONDS / 2)

        # And whoever shakes hands is answered, while they crowd and when they are gone
        assert [secured.admin("/health")[0] for _ in range(20)] == [200] * 20
        assert all(is_closed(each) for each in held)
        assert secured.admin("/health")[0] == 200


def test_sighup_reads_policies_again_and_says_what_it_does_not(start_sidecar: StartSidecar, policies: Path):
    # Given a sidecar that looks at its policies once a minute
    sidecar = start_sidecar(feature_flags=NEW, policies={"poll_interval": "60s"})
    before = sidecar.get("/flags")["policy_revision"]
    # When they change and it is told
    (policies / "more.rego").write_text("package more\nanswer := 42\n", encoding="utf-8")
    sidecar.send(signal.SIGHUP)
    # Then they serve long before the minute is over
    eventually(lambda: sidecar.get("/flags")["policy_revision"] != before, what="other policies", seconds=30)
    assert sidecar.decide({}, path="more/answer")[1] == {"result": 42}
    assert "settings need a restart" in sidecar.tail()
    # And a broken one changes nothing
    (policies / "more.rego").write_text("package more\nanswer :=\n", encoding="utf-8")
    sidecar.send(signal.SIGHUP)
    eventually(lambda: sidecar.get("/v1/status")["policies"]["problem"], what="the problem", seconds=30)
    assert sidecar.decide({}, path="more/answer")[1] == {"result": 42}


def test_the_start_is_timed(start_sidecar: StartSidecar):
    sidecar = start_sidecar()
    shown = sidecar.get("/v1/status")["start_seconds"]
    assert shown > 0
    assert sidecar.metric("sark_start_seconds") == pytest.approx(shown)


def test_only_a_watch_loads_the_client_of_kubernetes():
    # Its import takes longer than everything else of the start
    program = "import sys, sark_sidecar.service; sys.exit(any(name.startswith('kubernetes') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize(
    ("section", "settings", "sentence"),
    [
        (
            "data",
            {"tls": {"cert_file": "/nowhere/a", "key_file": "/nowhere/b"}},
            "data.tls cert_file /nowhere/a: there is no such file",
        ),
        (
            "admin",
            {"authentication": "token", "token_file": "/nowhere/t"},
            "admin token_file /nowhere/t: there is no such file",
        ),
        ("data", {"authentication": "token"}, "authentication: token and token_file belong together"),
        ("data", {"tls": {"cert_file": "/a"}}, "cert_file and key_file belong together"),
    ],
)
def test_a_start_that_could_not_be_as_safe_as_it_is_told_ends(
    start_sidecar: StartSidecar, section: str, settings: dict[str, Any], sentence: str
):
    sidecar = start_sidecar(wait=False, **{section: settings})
    assert sidecar.wait(seconds=120) == 1
    assert sentence in sidecar.tail()
