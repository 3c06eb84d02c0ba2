"""A whole sidecar as a child process, with an OPA and a Redis of its own that a test may kill."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from sark_e2e import binaries
from sark_e2e.deadline import eventually
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer
from sark_e2e.probe import http_ok
from sark_e2e.process import Process
from sark_e2e.program import ROOT
from sark_e2e.redis import RedisServer

EXAMPLE = ROOT / "examples" / "policies" / "mcp"
SLOW = """
package slow

answer := {"allow": true, "count": n} if {
	n := count([x | some x in numbers.range(1, 1200); some y in numbers.range(1, 1200); x == y])
	input.number >= 0
}
"""
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def request(url: str, body: object = None, method: str | None = None, timeout: float = 60) -> tuple[int, Any]:
    """Return status and JSON body (text where it is no JSON)."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    asked = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"}, method=method)  # noqa: S310
    try:
        with _OPENER.open(asked, timeout=timeout) as answer:
            return answer.status, _body(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _body(error.read())


def _body(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode()


def is_closed(connection: socket.socket) -> bool:
    """Wait for the end of a connection on which nothing comes."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


class RunningSidecar(Process):
    """`python -m sark_sidecar`, asked over its two ports."""

    def __init__(
        self, settings: dict[str, dict[str, Any]], folder: Path, *, wait: bool = True, prefix: Sequence[str] = ()
    ) -> None:
        """`prefix` is a command that runs the sidecar's."""
        folder.mkdir(parents=True, exist_ok=True)
        self.configuration = folder / "sidecar.yaml"
        # A copy in which nothing is the same object: YAML would write an alias, which the sidecar does not accept.
        self.configuration.write_text(yaml.safe_dump(json.loads(json.dumps(settings))), encoding="utf-8")
        self.data = f"http://{settings['data']['host']}:{settings['data']['port']}"
        self.admin = f"http://{settings['admin']['host']}:{settings['admin']['port']}"
        super().__init__(
            "sidecar",
            [*prefix, sys.executable, "-W", "error", "-m", "sark_sidecar", "--config", self.configuration],
            log=folder / "sidecar.log",
            ready=http_ok(f"{self.admin}/ready") if wait else None,
            ready_seconds=60,
        )

    def decide(self, question: object, path: str = "mcp/gateway/decision") -> tuple[int, Any]:
        """Ask for a decision."""
        return request(f"{self.data}/v1/data/{path}", {"input": question})

    def await_kept(self, question: object, path: str = "mcp/gateway/decision") -> None:
        """Ask until it is answered from Redis: it gets there by a look at OPA that began after the decision."""

        def is_kept() -> bool:
            before = self.metric("cache_operations_total", implementation="python", operation="get", result="hit")
            assert self.decide(question, path)[0] == 200
            return self.metric("cache_operations_total", implementation="python", operation="get", result="hit") > before

        eventually(is_kept, what="a decision that is kept", seconds=20)

    def get(self, path: str) -> Any:
        """Return what the admin port answers."""
        return request(f"{self.admin}{path}")[1]

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of `name` that carry these labels."""
        total = 0.0
        for line in str(self.get("/metrics")).splitlines():
            sample, _, value = line.rpartition(" ")
            if sample.partition("{")[0] == name and all(f'{key}="{text}"' in sample for key, text in labels.items()):
                total += float(value)
        return total


StartSidecar = Callable[..., RunningSidecar]


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A copy of the example's policies, and a rule that takes its time."""
    folder = tmp_path / "policies"
    shutil.copytree(EXAMPLE, folder / "mcp")
    (folder / "slow.rego").write_text(SLOW, encoding="utf-8")
    return folder


@pytest.fixture
def opa(network: LoopbackNetwork, tmp_path: Path, policies: Path) -> Iterator[OpaServer]:
    """OPA with those policies."""
    with OpaServer(binaries.program("opa"), network=network, folder=tmp_path / "opa", policies=policies) as running:
        yield running


@pytest.fixture
def redis(network: LoopbackNetwork, tmp_path: Path) -> Iterator[RedisServer]:
    """An empty Redis."""
    with RedisServer(binaries.redis_server(), network=network, folder=tmp_path / "redis") as running:
        yield running


@pytest.fixture
def start_sidecar(
    network: LoopbackNetwork, tmp_path: Path, policies: Path, opa: OpaServer, redis: RedisServer
) -> Iterator[StartSidecar]:
    """Start sidecars with settings over the usual ones, by section; all are stopped at the end."""
    with ExitStack() as stack:

        def start(
            *, wait: bool = True, name: str = "sidecar", prefix: Sequence[str] = (), **sections: dict[str, Any]
        ) -> RunningSidecar:
            address = network.pod()
            settings: dict[str, dict[str, Any]] = {
                "policies": {"directory": str(policies), "poll_interval": "200ms"},
                "opa": {"url": opa.url, "poll_interval": "300ms", "timeout": "3s"},
                "cache": {"redis_url": redis.url},
                "data": {"host": address, "port": 8180},
                "admin": {"host": address, "port": 8182},
            }
            for section, members in sections.items():
                settings.setdefault(section, {}).update(members)
            sidecar = RunningSidecar(settings, tmp_path / name, wait=wait, prefix=prefix)
            sidecar.start()
            stack.callback(sidecar.stop)
            return sidecar

        yield start
