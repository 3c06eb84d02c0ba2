"""Everything the suite asks, real and on loopback: OPA, Redis, Prometheus, and a sidecar with everybody in one arm."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from sark_e2e import binaries
from sark_e2e.bench.engine.corpus import asker
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer
from sark_e2e.probe import http_ok
from sark_e2e.process import Process
from sark_e2e.progress import Report
from sark_e2e.redis import RedisServer
from sark_e2e.sidecar import Sidecar, SidecarInputs

from .asked import KINDS, Asked, copy_policies, write

PYTHON: Final = "python"
RUST: Final = "rust"
ARMS: Final = (PYTHON, RUST)
MOST_CONNECTIONS: Final = 4_096
SCRAPE_SECONDS: Final = 1


@dataclass(frozen=True)
class Stand:
    """The running servers, and the questions with their answers."""

    network: LoopbackNetwork
    folder: Path
    policies: Path
    opa: OpaServer
    redis: RedisServer
    sidecars: Mapping[str, Sidecar]
    prometheus_url: str
    asked: Mapping[str, Asked]

    def url(self, arm: str, path: str) -> str:
        """Return where an arm is asked for a path."""
        return f"{self.sidecars[arm].data_url}/v1/data/{path}"

    def servers(self, arm: str) -> dict[str, int]:
        """Return the process ids of what an arm needs, by name: the sidecar, and OPA and Redis for the baseline."""
        own = {"sidecar": self.sidecars[arm].pid}
        return own | {"opa": self.opa.pid, "redis": self.redis.pid} if arm == PYTHON else own


@contextlib.contextmanager
def running(folder: Path, report: Report, *, arms: tuple[str, ...] = ARMS, faults: bool = False) -> Iterator[Stand]:
    """Start everything, ask OPA for the right answers, and end everything afterwards; `faults` can then be injected."""
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        network = enter(LoopbackNetwork())
        policies = copy_policies(folder / "policies")
        opa = enter(
            OpaServer(binaries.program("opa"), network=network, folder=folder / "opa", policies=policies, report=report)
        )
        redis = enter(RedisServer(binaries.redis_server(), network=network, folder=folder / "redis", report=report))
        inputs = {arm: _inputs(arm, opa=opa, redis=redis, policies=policies, folder=folder, faults=faults) for arm in arms}
        sidecars = {
            arm: enter(Sidecar(f"sidecar-{arm}", address=network.pod(), inputs=each, folder=folder / arm, report=report))
            for arm, each in inputs.items()
        }
        prometheus = enter(_Prometheus(network, folder / "prometheus", sidecars, report))
        ask = enter(asker(opa.url))
        asked = {kind: write(kind, ask, folder) for kind in KINDS}
        yield Stand(network, folder, policies, opa, redis, sidecars, prometheus.url, asked)


def _inputs(arm: str, *, opa: OpaServer, redis: RedisServer, policies: Path, folder: Path, faults: bool) -> SidecarInputs:
    new = arm == RUST
    overrides: dict[str, dict[str, Any]] = {
        "flags": {"mode": "static"},
        "feature_flags": {"rust_opa_enabled": new, "rust_cache_enabled": new, "rollout_percentage": 100 if new else 0},
        "cache": {"ttl": "5m"},
        "limits": {"max_connections": MOST_CONNECTIONS},
        "fault_injection": {"enabled": faults, "file": str(folder / arm / "faults.json")},
    }
    return SidecarInputs(
        policies=policies,
        opa_url=opa.url,
        redis_url=redis.url,
        namespace="performance",
        config_map="performance",
        kubeconfig=folder / "none.kubeconfig",
        overrides=overrides,
    )


class _Prometheus(Process):
    """Scrapes both sidecars every second."""

    def __init__(self, network: LoopbackNetwork, folder: Path, sidecars: Mapping[str, Sidecar], report: Report) -> None:
        address = f"{network.server}:{network.port()}"
        self.url = f"http://{address}"
        folder.mkdir(parents=True)
        targets = [
            {"targets": [sidecar.admin_url.removeprefix("http://")], "labels": {"arm": arm}}
            for arm, sidecar in sidecars.items()
        ]
        interval = f"{SCRAPE_SECONDS}s"
        text = yaml.safe_dump(
            {
                "global": {"scrape_interval": interval, "scrape_timeout": interval},
                "scrape_configs": [{"job_name": "sidecars", "static_configs": targets}],
            }
        )
        (folder / "prometheus.yml").write_text(text, encoding="utf-8")
        super().__init__(
            "prometheus",
            [
                binaries.program("prometheus"),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            log=folder / "prometheus.log",
            ready=http_ok(f"{self.url}/-/ready"),
            report=report,
        )
