"""The whole local cluster behind one door: control plane, Prometheus, OPA and Redis, and fleets, operators and load on top.

    with LocalCluster() as cluster, cluster.namespace() as namespace:
        with cluster.fleet("gateway", namespace=namespace) as fleet, cluster.operator(namespace):
            with cluster.traffic(fleet, rate=200) as traffic: ...

Every part is a context manager; leaving one, by an exception or Ctrl-C too, ends what it started.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from kubernetes import client

from . import binaries, operator, run_folder
from .control_plane import ControlPlane
from .deadline import eventually
from .fleet import Fleet
from .kubectl import Kubectl
from .loopback import LoopbackNetwork
from .namespace import fresh_namespace
from .opa import OpaServer
from .operator import Operator
from .process import Process
from .program import ROOT
from .progress import Report, silent
from .prometheus import RULES, PrometheusServer
from .redis import RedisServer
from .service_account import create_service_account
from .traffic.load import Traffic

CRD: Final = ROOT / "crds" / "sarkrollouts.sark.dev.yaml"
POLICIES: Final = ROOT / "examples" / "policies"


class LocalCluster:
    """Starts the servers and makes the parts that use them. The CRD is installed when it is entered."""

    control_plane: ControlPlane
    prometheus: PrometheusServer
    opa: OpaServer
    redis: RedisServer
    api: client.ApiClient

    def __init__(
        self, purpose: str = "cluster", *, scrape_seconds: float = 1.0, policies: Path = POLICIES, report: Report = silent
    ) -> None:
        """Build or find the programs and choose folder and addresses; nothing runs yet. Raises ProgramError."""
        self._programs = binaries.programs(report=report)
        self._redis_binary = binaries.redis_server()
        self.folder = run_folder.create(purpose)
        self.policies = policies
        self.network = LoopbackNetwork()
        self._scrape_seconds = scrape_seconds
        self._report = report
        self._stack = contextlib.ExitStack()

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.control_plane.kubeconfig

    @property
    def kubectl(self) -> Kubectl:
        """Kubectl as the administrator: `cluster.kubectl("get", "pods")`."""
        return self.control_plane.kubectl

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.network)
            self.control_plane = stack.enter_context(
                ControlPlane(self._programs, network=self.network, folder=self.folder, report=self._report)
            )
            self.api = stack.enter_context(self.control_plane.client())
            install_crd(self.kubectl)
            for server in self._servers():
                stack.enter_context(server)
                self._report(f"{server.name} is up")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def namespace(self, prefix: str = "sark") -> AbstractContextManager[str]:
        """Return a context that creates a namespace with a name of its own and deletes it afterwards."""
        return fresh_namespace(self.api, prefix)

    def fleet(
        self,
        name: str,
        *,
        namespace: str,
        replicas: int = 3,
        embedding: int = 0,
        overrides: Mapping[str, dict[str, Any]] | None = None,
    ) -> Fleet:
        """Return a fleet to be entered. `overrides` are sidecar settings by section; `embedding` replicas have no sidecar."""
        return Fleet(
            name,
            namespace=namespace,
            replicas=replicas,
            embedding=embedding,
            api=self.api,
            access=self.control_plane.access,
            network=self.network,
            folder=self.folder / namespace / name,
            policies=self.policies,
            opa_url=self.opa.url,
            redis_url=self.redis.url,
            overrides=overrides,
            report=self._report,
        )

    def operator(self, namespace: str, *, name: str = "operator", through: str = "", arguments: Sequence[str] = ()) -> Operator:
        """Return an operator for one namespace, to be entered; a second one there needs another `name`.

        It reaches the API server at `through` when that is given, a proxy's URL. `arguments` are further flags of its.
        """
        folder = self.folder / namespace / name
        access = self.control_plane.access
        account = create_service_account(
            self.api,
            replace(access, server=through) if through else access,
            namespace=namespace,
            name=name,
            folder=folder,
            rules=(*operator.RULES, *operator.LEASE_RULES),
        )
        kubeconfig = account.access.kubeconfig
        return Operator(
            namespace=namespace,
            kubeconfig=kubeconfig,
            network=self.network,
            folder=folder,
            arguments=arguments,
            report=self._report,
        )

    def traffic(self, fleet: Fleet, *, rate: float) -> Traffic:
        """Return a load of `rate` questions a second over the fleet's present pods, to be entered."""
        folder = self.folder / fleet.namespace / fleet.name / "traffic"
        return Traffic(fleet.data_urls, rate=rate, folder=folder, report=self._report)

    def _servers(self) -> tuple[Process, ...]:
        """Make the servers beside the control plane, which must be up: Prometheus needs an account in it."""
        self.prometheus = prometheus_server(
            self.control_plane,
            binary=self._programs["prometheus"],
            network=self.network,
            folder=self.folder / "prometheus",
            scrape_seconds=self._scrape_seconds,
            report=self._report,
        )
        self.opa = OpaServer(
            self._programs["opa"], network=self.network, folder=self.folder / "opa", policies=self.policies, report=self._report
        )
        self.redis = RedisServer(self._redis_binary, network=self.network, folder=self.folder / "redis", report=self._report)
        return self.prometheus, self.opa, self.redis


def install_crd(kubectl: Kubectl) -> None:
    """Install the SarkRollout CRD and wait until the API server serves it. Raises TimeoutError."""
    kubectl("apply", "--server-side", "-f", str(CRD))
    eventually(lambda: _is_established(kubectl), what=f"{CRD.name} to be served", seconds=30)


def _is_established(kubectl: Kubectl) -> bool:
    """Return whether the CRD is served.

    Neither `kubectl wait` nor a JSONPath will do: both fail while the conditions are null, which a busy machine shows first.
    """
    status = json.loads(kubectl("get", "-f", str(CRD), "-o", "json")).get("status") or {}
    return any(each["type"] == "Established" and each["status"] == "True" for each in status.get("conditions") or [])


def prometheus_server(
    control_plane: ControlPlane,
    *,
    binary: Path,
    network: LoopbackNetwork,
    folder: Path,
    scrape_seconds: float = 1.0,
    report: Report = silent,
) -> PrometheusServer:
    """Return a Prometheus, not started yet, that finds pods through an account of its own in the running `control_plane`."""
    with control_plane.client() as api:
        account = create_service_account(
            api, control_plane.access, namespace="kube-system", name="prometheus", folder=folder, cluster_rules=RULES
        )
    return PrometheusServer(
        binary,
        network=network,
        folder=folder,
        kubeconfig=account.access.kubeconfig,
        scrape_seconds=scrape_seconds,
        report=report,
    )
