"""Credentials, authorities and tenants at real servers: Prometheus' own TLS and basic auth, a proxy for the rest."""

from __future__ import annotations

import http.server
import os
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from sark_api.spec import SarkRolloutSpec
from sark_e2e import binaries
from sark_e2e.certificates import Authority
from sark_e2e.cluster import LocalCluster
from sark_e2e.guarded_prometheus import PASSWORD, USER, GuardedPrometheus
from sark_e2e.prometheus import PrometheusServer
from sark_operator.core.observation import Metrics, Missing
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.metrics import PrometheusMetrics
from sark_operator.shell.prometheus import PrometheusDoor
from sark_operator.shell.prometheus_access import PrometheusServers
from sark_operator.shell.telemetry import Telemetry

pytestmark = pytest.mark.asyncio

Source = Callable[..., PrometheusMetrics]


@pytest.fixture(scope="module")
def guarded(cluster: LocalCluster) -> Iterator[GuardedPrometheus]:
    """A Prometheus with TLS and basic auth."""
    binary = binaries.programs()["prometheus"]
    with GuardedPrometheus(binary, network=cluster.network, folder=cluster.folder / "guarded-prometheus") as server:
        yield server


@dataclass
class Gate:
    """A proxy in front of the real Prometheus that lets in one token, and notes who came."""

    url: str = ""
    token: str = "token-1"
    seen: list[tuple[str, str]] = field(default_factory=list)
    """Authorization and tenant of every request."""
    echo: bool = False
    """Whether it repeats in its error what it was given."""


@pytest.fixture
def gate(prometheus_server: PrometheusServer) -> Iterator[Gate]:
    made = Gate()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given, tenant = self.headers.get("Authorization", ""), self.headers.get("X-Scope-OrgID", "")
            made.seen.append((given, tenant))
            if made.echo:
                self.answer(422, f'{{"status": "error", "errorType": "execution", "error": "bad header {given}"}}'.encode())
            elif given != f"Bearer {made.token}":
                self.answer(401, b"who are you?")
            else:
                try:
                    with urllib.request.urlopen(prometheus_server.url + self.path, timeout=10) as there:  # noqa: S310
                        self.answer(there.status, there.read())
                except urllib.error.HTTPError as error:
                    self.answer(error.code, error.read())

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@pytest_asyncio.fixture
async def source(tmp_path: Path) -> AsyncIterator[Source]:
    """Return what makes a source with these entries in its file."""
    made: list[PrometheusMetrics] = []

    def make(*servers: dict[str, Any]) -> PrometheusMetrics:
        path = tmp_path / "prometheus.yaml"
        path.write_text(yaml.safe_dump({"servers": list(servers)}))
        made.append(PrometheusMetrics(PrometheusDoor(Telemetry()), SystemClock(), PrometheusServers.load(path)))
        return made[-1]

    yield make
    for each in made:
        await each.close()


async def read(source: PrometheusMetrics, address: str, *, tenant: str = "", query: str = "1 + 1") -> Metrics:
    spec = SarkRolloutSpec.model_validate(
        {
            "target": {"matchLabels": {"app": "gateway"}, "flagsConfigMap": "flags"},
            "prometheus": {"address": address, "tenant": tenant, "timeout": "60s"},  # a bcrypt for each question takes its time
            "criteria": {"custom": [{"name": "sum", "query": query, "max": "5"}]},
            "interval": "1s",
        }
    )
    return await source.read("shop/gateway", spec, expected=False)


def why(metrics: Metrics) -> Missing:
    """Return why the criterion's number is missing; the secrets of these tests stand in nothing that was said."""
    found = metrics.custom["sum"]
    assert isinstance(found, Missing), found
    assert not any(secret in str(metrics) for secret in ("wrong-password", "token-1", "token-2"))
    return found


def secret(folder: Path, text: str) -> str:
    """Write the secret's file, or write it anew, and return its path."""
    path = folder / "secret"
    path.write_text(text)
    return str(path)


async def test_tls_and_basic_auth(source: Source, guarded: GuardedPrometheus, tmp_path: Path):
    # Given the server's authority, user and password in files
    password = secret(tmp_path, f"{PASSWORD}\n")
    entry = {
        "address": guarded.url,
        "basic_auth": {"username": USER, "password_file": password},
        "tls_config": {"ca_file": str(guarded.authority.certificate)},
    }

    # When it is asked, then it answers everything
    metrics = await read(source(entry), guarded.url)
    assert metrics.custom == {"sum": 2.0}
    assert not isinstance(metrics.arms, Missing)
    assert not isinstance(metrics.memory, Missing)

    # And with another password it says whose mistake that is, and not what it was
    secret(tmp_path, "wrong-password")
    refused = why(await read(source(entry), guarded.url))
    assert refused.reason == "MetricsAccess"
    assert "refuses the credentials it is given (HTTP 401)" in refused.message


async def test_without_an_entry_it_says_what_is_missing(source: Source, guarded: GuardedPrometheus, tmp_path: Path):
    # Given no authority at all, or one that signed nothing of this
    other = Authority(tmp_path / "other")

    # Then the server is not believed to be the one it says it is
    for entries in ([], [{"address": guarded.url, "tls_config": {"ca_file": str(other.certificate)}}]):
        assert "certificate verify failed" in why(await read(source(*entries), guarded.url)).message.lower()

    # And with the authority alone it says that credentials are wanted
    trusting = {"address": guarded.url, "tls_config": {"ca_file": str(guarded.authority.certificate)}}
    assert "asks for credentials, and none are known" in why(await read(source(trusting), guarded.url)).message


async def test_a_rotated_token_needs_no_restart(source: Source, gate: Gate, tmp_path: Path):
    # Given a token in a file
    token = secret(tmp_path, "token-1")
    door = source({"address": gate.url, "authorization": {"credentials_file": token}})
    assert (await read(door, gate.url)).custom == {"sum": 2.0}

    # When the server wants another one, then it is refused until the file holds it
    gate.token = "token-2"
    assert "refuses the credentials" in why(await read(door, gate.url, query="1 + 2")).message
    secret(tmp_path, "token-2\n")
    assert (await read(door, gate.url, query="1 + 3")).custom == {"sum": 4.0}

    # And a file that is gone is named
    os.unlink(token)  # noqa: PTH108 - of an asynchronous test
    assert f"{token} cannot be read" in why(await read(door, gate.url, query="1 + 4")).message


async def test_a_rotated_authority_needs_no_restart(source: Source, guarded: GuardedPrometheus, tmp_path: Path):
    # Given a file with an authority that signed nothing of this server
    authority = tmp_path / "ca.pem"
    authority.write_bytes(Authority(tmp_path / "old").certificate.read_bytes())
    password = secret(tmp_path, PASSWORD)
    basic = {"username": USER, "password_file": password}
    door = source({"address": guarded.url, "basic_auth": basic, "tls_config": {"ca_file": str(authority)}})
    assert "certificate verify failed" in why(await read(door, guarded.url)).message.lower()

    # When the file holds the one that did, then the next question is answered
    authority.write_bytes(guarded.authority.certificate.read_bytes())
    assert (await read(door, guarded.url, query="1 + 2")).custom == {"sum": 3.0}


async def test_every_tenant_asks_for_itself(source: Source, gate: Gate, tmp_path: Path):
    # Given an address with two tenants
    token = secret(tmp_path, "token-1")
    door = source({"address": gate.url, "tenants": ["team-a", "team-b"], "authorization": {"credentials_file": token}})

    # When rollouts ask as the first by default, and as the second, in the same moment
    for tenant in ("", "team-b"):
        assert (await read(door, gate.url, tenant=tenant)).custom == {"sum": 2.0}

    # Then each question was asked for each, with the credentials
    assert {tenant for _, tenant in gate.seen} == {"team-a", "team-b"}
    assert {given for given, _ in gate.seen} == {"Bearer token-1"}

    # And a third is refused without asking
    asked = len(gate.seen)
    assert "tenant team-c" in why(await read(door, gate.url, tenant="team-c")).message
    assert len(gate.seen) == asked


async def test_a_server_that_repeats_the_credentials_is_not_quoted_with_them(source: Source, gate: Gate, tmp_path: Path):
    gate.echo = True
    door = source({"address": gate.url, "authorization": {"credentials_file": secret(tmp_path, "token-1")}})
    assert "bad header Bearer [secret]" in why(await read(door, gate.url)).message
