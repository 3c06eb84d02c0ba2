"""What the faults happen to: OPA and Redis behind links, and a sidecar with half of the subjects in each arm."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

from sark_api.names import ARM_NEW, FEATURE_OPA, METRIC_ASSIGNMENTS
from sark_e2e import binaries
from sark_e2e.bench.cache_use import counter
from sark_e2e.control_plane import Access, ControlPlane
from sark_e2e.deadline import eventually
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer
from sark_e2e.probe import http_ok
from sark_e2e.process import Process
from sark_e2e.program import ROOT
from sark_e2e.redis import RedisServer

from .flags_map import NAME, FlagsMap, flags_map
from .link import Link
from .prober import TOOLS, Pattern

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_EXAMPLE = ROOT / "examples" / "policies" / "mcp"
MOST_CONNECTIONS = 64
OPA_SECONDS = 2.0
SLOW_AFTER_SECONDS = 0.5
SLOW_SECONDS = 1.0
HEADER_SECONDS = 2.0
_FOLLOW_SECONDS = 60.0
_START_SECONDS = 240.0
"""Importing the client of Kubernetes takes a second or two of processor time: a minute on a machine with much other work."""


class Stand:
    """Starts everything; leaving it ends everything. A context manager."""

    def __init__(self, folder: Path, access: Access | None = None) -> None:
        """Keep everything below `folder`. `access` is to an API server that runs already; else one is started."""
        self.folder = folder
        self.numbers = itertools.count()
        """Of the users who ask: none asks twice, or Redis would answer for an OPA that is away."""
        self._access = access
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            self._start()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        enter = self._stack.enter_context
        network = enter(LoopbackNetwork())
        self.policies = self.folder / "policies"
        shutil.copytree(_EXAMPLE, self.policies / "mcp")
        self.fault_file = self.folder / "faults.json"
        opa_policies = self.folder / "opa-policies"
        shutil.copytree(self.policies, opa_policies)
        self.opa = enter(OpaServer(binaries.program("opa"), network=network, folder=self.folder / "opa", policies=opa_policies))
        self.redis = enter(RedisServer(binaries.redis_server(), network=network, folder=self.folder / "redis"))
        self.opa_link = enter(_link(self.opa.url, listen=network.server))
        self.redis_link = enter(_link(self.redis.url, listen=network.server))
        access = self._access or self._start_control_plane(network)
        self.flags: FlagsMap = enter(flags_map(access, self.folder))
        # At the API server's own address, which is what its certificate is for.
        self.api_link = enter(_link(access.server, listen=str(urlsplit(access.server).hostname)))
        self.flags.lead_through(self.api_link.port)
        self.host = network.pod()
        self.sidecar = enter(self._sidecar(network.server))
        self.patterns = [Pattern(tool, self._result(tool)) for tool in TOOLS]

    def _start_control_plane(self, network: LoopbackNetwork) -> Access:
        programs = binaries.programs(binaries.CONTROL_PLANE)
        plane = ControlPlane(programs, network=network, folder=self.folder / "control-plane")
        return self._stack.enter_context(plane).access

    def _sidecar(self, server: str) -> Process:
        settings: dict[str, Any] = {
            "policies": {"directory": str(self.policies), "poll_interval": "200ms"},
            "opa": {
                "url": f"http://{server}:{self.opa_link.port}",
                "timeout": f"{OPA_SECONDS:g}s",
                "poll_interval": "500ms",
                "breaker": {"slow_after": f"{SLOW_AFTER_SECONDS * 1000:g}ms"},
            },
            "cache": {"redis_url": f"redis://{server}:{self.redis_link.port}/0"},
            "flags": {
                "mode": "watch",
                "namespace": self.flags.namespace,
                "config_map": NAME,
                "kubeconfig": str(self.flags.kubeconfig),
                "state_file": str(self.folder / "flags-state.json"),
            },
            "data": {"host": self.host, "port": 8180},
            "admin": {"host": self.host, "port": 8182},
            "limits": {"max_connections": MOST_CONNECTIONS, "header_timeout": f"{HEADER_SECONDS:g}s", "drain_timeout": "2s"},
            "fault_injection": {"enabled": True, "file": str(self.fault_file)},
        }
        configuration = self.folder / "sidecar.yaml"
        configuration.write_text(yaml.safe_dump(settings), encoding="utf-8")
        return Process(
            "sidecar",
            [sys.executable, "-m", "sark_sidecar", "--config", configuration],
            log=self.folder / "sidecar.log",
            ready=http_ok(f"http://{self.host}:8182/ready"),
            ready_seconds=_START_SECONDS,
        )

    def _result(self, tool: dict[str, str]) -> dict[str, Any]:
        """Ask OPA itself: what it says before any fault is what must be said throughout."""
        question = Pattern(tool, {}).question("user-1")
        body = json.dumps({"input": question}).encode()
        request = urllib.request.Request(  # noqa: S310 - its address is ours
            f"{self.opa.url}/v1/data/mcp/gateway/decision", body, {"Content-Type": "application/json"}
        )
        with _OPENER.open(request, timeout=10) as answer:
            result: dict[str, Any] = json.load(answer)["result"]
        return result

    def status(self) -> dict[str, Any]:
        """Return what the sidecar says of itself."""
        with _OPENER.open(f"http://{self.host}:8182/v1/status", timeout=10) as answer:
            members: dict[str, Any] = json.load(answer)
        return members

    def follow(self, revision: int) -> None:
        """Wait until the sidecar applies this revision of the flags. Raises TimeoutError."""
        eventually(
            lambda: bool(self.status()["flags"]["revision"] == revision),
            what=f"revision {revision} of the flags",
            seconds=_FOLLOW_SECONDS,
        )

    def in_new_arm(self) -> float:
        """Return how many requests have been given to the new arm so far."""
        with _OPENER.open(f"http://{self.host}:8182/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return counter(text, METRIC_ASSIGNMENTS, feature=FEATURE_OPA, implementation=ARM_NEW)

    def redis_command(self, *words: str) -> None:
        """Send Redis a command past the link."""
        address = urlsplit(self.redis.url)
        with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=5) as connection:
            connection.sendall((" ".join(words) + "\r\n").encode())
            if not (answer := connection.recv(256)).startswith(b"+OK"):
                raise RuntimeError(f"redis answered {answer!r} to {' '.join(words)}")


def _link(url: str, *, listen: str) -> Link:
    address = urlsplit(url)
    return Link(str(address.hostname), int(address.port or 0), listen=listen, slow_seconds=SLOW_SECONDS)
