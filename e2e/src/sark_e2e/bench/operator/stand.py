"""The stand: a real control plane and Prometheus, many rollouts with simulated sidecars, and one operator for all of them."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from kubernetes import client

from sark_api.names import API_VERSION, GROUP, KIND, PLURAL, VERSION
from sark_api.status import Phase
from sark_e2e import binaries, run_folder
from sark_e2e.bench.failure import BenchError
from sark_e2e.cluster import install_crd
from sark_e2e.control_plane import ControlPlane
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.pod import PodAddress, create_pod, set_status
from sark_e2e.probe import http_ok
from sark_e2e.process import Process
from sark_e2e.progress import Report

from .exposition import PODS
from .prometheus import OneTargetPrometheus
from .sidecars import Sidecars

PER_NAMESPACE: Final = 50
FIRST_PORT: Final = 20_000
PERCENT: Final = 50
"""Share the rollouts are at while they are measured."""
_THREADS: Final = 12
_LOOK_SECONDS: Final = 1.0
_LOOK_SHARE: Final = 4.0
"""So many times as long as a look at all rollouts took nobody looks again."""


@dataclass(frozen=True)
class Times:
    """How often things happen."""

    interval: int = 15
    """Seconds between two evaluations of a rollout: the default."""
    scrape: int = 15
    window: int = 60
    """criteria.window."""


@dataclass
class Stand:
    """What is running."""

    control_plane: ControlPlane
    prometheus: OneTargetPrometheus
    sidecars: Sidecars
    operator: Process
    operator_url: str
    keys: list[str]
    """namespace/name of every rollout."""

    def objects(self) -> list[dict[str, Any]]:
        """Return all rollouts as they are."""
        with self.control_plane.client() as api:
            found: Any = client.CustomObjectsApi(api).list_cluster_custom_object(GROUP, VERSION, PLURAL)
        items: list[dict[str, Any]] = found["items"]
        return items

    def each(self, keys: Sequence[str], act: Callable[[client.CustomObjectsApi, str, str], object]) -> None:
        """Do something to every rollout, several at a time; `act` gets namespace and name."""
        with self.control_plane.client() as api, ThreadPoolExecutor(_THREADS) as pool:
            custom = client.CustomObjectsApi(api)
            list(pool.map(lambda key: act(custom, *key.split("/")), keys))

    def until(self, what: str, done: Callable[[dict[str, Any]], bool], seconds: float) -> None:
        """Wait until `done` has been true of every rollout once. Raises BenchError."""
        deadline = time.monotonic() + seconds
        left = set(self.keys)
        while True:
            began = time.monotonic()
            left -= {_key(item) for item in self.objects() if done(item)}
            if not left:
                return
            if not self.operator.running:
                raise BenchError(f"{what}: the operator has ended, see {self.operator.log}")
            if time.monotonic() > deadline:
                raise BenchError(f"{what}: {len(left)} of {len(self.keys)} rollouts did not come there within {seconds:.0f} s")
            # Looking at all rollouts is work for the API server that is measured.
            time.sleep(max(_LOOK_SECONDS, _LOOK_SHARE * (time.monotonic() - began)))

    def at_share(self, seconds: float) -> None:
        """Wait until every rollout serves its share and has been judged."""
        self.until(f"{PERCENT}%", _is_judged, seconds)


@contextlib.contextmanager
def stand(rollouts: int, times: Times, report: Report) -> Iterator[Stand]:
    """Start everything with so many rollouts, and end it afterwards."""
    programs = binaries.programs(report=report)
    folder = run_folder.create("bench-operator")
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(LoopbackNetwork())
        hosts = [network.pod() for _ in range(PODS)]
        plane = stack.enter_context(ControlPlane(programs, network=network, folder=folder, report=report))
        install_crd(plane.kubectl)
        keys = [f"bench-{number // PER_NAMESPACE}/r{number}" for number in range(rollouts)]
        ports = {key: FIRST_PORT + number for number, key in enumerate(keys)}
        target = (network.server, network.port())
        sidecars = stack.enter_context(Sidecars(ports, hosts, target, plane.kubeconfig))
        prometheus = OneTargetPrometheus(
            programs["prometheus"],
            network=network,
            folder=folder,
            target=target,
            scrape_seconds=times.scrape,
            report=report,
        )
        stack.enter_context(prometheus)
        began = time.monotonic()
        _create(plane, ports, hosts, prometheus.url, times)
        report(f"{rollouts} rollouts and {rollouts * PODS} pods created in {time.monotonic() - began:.0f} s")
        probe = f"{network.server}:{network.port()}"
        operator = Process(
            "operator",
            [
                sys.executable,
                "-m",
                "sark_operator",
                *(f"--namespace={name}" for name in sorted({key.partition("/")[0] for key in keys})),
                f"--kubeconfig={plane.kubeconfig}",
                f"--probe-address={probe}",
                "--lease-namespace=default",
                "--log-level=warning",
            ],
            log=folder / "operator.log",
            ready=http_ok(f"http://{probe}/readyz"),
            ready_seconds=120,
            report=report,
        )
        stack.enter_context(operator)
        yield Stand(plane, prometheus, sidecars, operator, f"http://{probe}", keys)


def _create(plane: ControlPlane, ports: dict[str, int], hosts: Sequence[str], prometheus: str, times: Times) -> None:
    with plane.client() as api, ThreadPoolExecutor(_THREADS) as pool:
        core, custom = client.CoreV1Api(api), client.CustomObjectsApi(api)
        for namespace in sorted({key.partition("/")[0] for key in ports}):
            core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=namespace)))

        def one(key: str) -> None:
            namespace, name = key.split("/")
            metadata = client.V1ObjectMeta(name=f"{name}-flags")
            core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=metadata))
            for number, host in enumerate(hosts):
                pod = PodAddress(namespace, f"{name}-{number}", host)
                create_pod(api, pod, labels={"app": name})
                set_status(api, pod, ready=True, restarts=0)
            body = _rollout(namespace, name, ports[key], prometheus, times)
            custom.create_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, body)

        list(pool.map(one, ports))


def _rollout(namespace: str, name: str, port: int, prometheus: str, times: Times) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "target": {"matchLabels": {"app": name}, "flagsConfigMap": f"{name}-flags", "adminPort": port},
            "prometheus": {"address": prometheus, "timeout": "30s"},
            "steps": [{"percent": PERCENT, "bake": "48h"}, {"percent": 100, "bake": "48h"}],
            "interval": f"{times.interval}s",
            "criteria": {
                "window": f"{times.window}s",
                "countingWindow": f"{times.scrape}s",
                # Over so short a time it is reckoned at each evaluation; by the defaults both windows are 75 times an hour.
                "memoryGrowth": {"window": f"{2 * times.window}s", "sustainedWindows": 1},
                "throughput": {"minRequestsPerSecond": 0},
            },
        },
    }


def _key(item: dict[str, Any]) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"


def _is_judged(item: dict[str, Any]) -> bool:
    status = item.get("status") or {}
    criteria = {each["name"]: each["verdict"] for each in status.get("criteria", [])}
    confirmed = (status.get("convergence") or {}).get("confirmed") == PODS
    return status.get("phase") == Phase.PROGRESSING and confirmed and criteria.get("errorRate") == "Pass"
