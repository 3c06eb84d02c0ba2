"""A real control plane: etcd, kube-apiserver and kube-controller-manager as child processes, reached on loopback.

The controller manager is there because without it nothing is collected by owner reference and no namespace finishes deleting.
There is no scheduler and no kubelet: pods are objects whose status `pod` writes. `sark_e2e.pods` adds both, and real pods.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kubernetes import client
from kubernetes.config import load_kube_config

from . import kubeconfig
from .certificates import Authority
from .etcd import etcd
from .kubectl import Kubectl
from .loopback import ServerNetwork
from .probe import http_ok
from .process import Process
from .progress import Report, silent

READY_SECONDS: Final = 120.0
"""A slow machine has been seen to need more than half a minute."""

_SERVICE_RANGE: Final = "10.96.0.0/16"
SERVICE_ADDRESS: Final = "10.96.0.1"
"""Where pods reach the API server, when there are nodes."""
_CONTROLLERS: Final = (
    "namespace-controller",
    "garbage-collector-controller",
    "pod-garbage-collector-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "endpointslice-controller",
    "deployment-controller",
    "replicaset-controller",
    "disruption-controller",
)


@dataclass(frozen=True)
class Access:
    """How to reach the API server as one user."""

    server: str
    authority: Path
    kubeconfig: Path

    def client(self) -> client.ApiClient:
        """Return a new client; close it, or use it as a context manager."""
        configuration = client.Configuration()
        load_kube_config(config_file=str(self.kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
        return client.ApiClient(configuration)


class ControlPlane:
    """etcd, API server and controllers. A context manager: inside it the API answers as the administrator."""

    def __init__(
        self,
        programs: Mapping[str, Path],
        *,
        network: ServerNetwork,
        folder: Path,
        with_nodes: bool = False,
        report: Report = silent,
    ) -> None:
        """Take `programs`, the paths of etcd, kube-apiserver and kube-controller-manager; keep everything below `folder`.

        `with_nodes` is for kubelets and pods that run: every controller, and an API server that pods reach by its Service.
        """
        self._programs = programs
        self._with_nodes = with_nodes
        self._folder = folder
        self._report = report
        self._host = network.server
        ports = [network.port() for _ in range(4)]
        self._etcd_port, self._peer_port, self._api_port, self._controllers_port = ports
        self._authority = Authority(folder / "certificates")
        self._admin = self._authority.client("admin", "system:masters")
        self._keys = self._authority.signing_pair("service-accounts")
        self.server = f"https://{self._host}:{self._api_port}"
        self.kubeconfig = kubeconfig.with_certificate(
            folder / "kubeconfig",
            server=self.server,
            authority=self._authority.certificate,
            certificate=self._admin[0],
            key=self._admin[1],
        )
        self.kubectl = Kubectl(self.kubeconfig)
        self.etcd = etcd(
            programs["etcd"],
            host=self._host,
            client_port=self._etcd_port,
            peer_port=self._peer_port,
            folder=folder / "etcd",
            report=report,
        )
        self.api_server = self._api_server()
        self.controllers = self._controller_manager()
        self._stack = contextlib.ExitStack()

    @property
    def authority(self) -> Path:
        """The file of the certificate authority that signed the API server's certificate."""
        return self._authority.certificate

    @property
    def kubectl_path(self) -> Path:
        """The program behind `kubectl`."""
        return self.kubectl.path

    @property
    def access(self) -> Access:
        """The administrator's."""
        return Access(self.server, self.authority, self.kubeconfig)

    def user(self, name: str, user: str, group: str) -> Path:
        """Return a new kubeconfig, the file `name`, that speaks as `user` in `group`."""
        certificate, key = self._authority.client(user, group)
        return kubeconfig.with_certificate(
            self._folder / name, server=self.server, authority=self._authority.certificate, certificate=certificate, key=key
        )

    def version(self) -> str:
        """Return the running API server's version, as in v1.37.2."""
        with urllib.request.urlopen(f"{self.server}/version", context=self.tls(), timeout=10) as answer:  # noqa: S310
            version: str = json.load(answer)["gitVersion"]
            return version

    def client(self) -> client.ApiClient:
        """Return a new client that speaks as the administrator; close it, or use it as a context manager."""
        return self.access.client()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.etcd)
            self._report("etcd is up")
            stack.enter_context(self.api_server)
            self._report(f"kube-apiserver {self.version()} is up at {self.server}")
            stack.enter_context(self.controllers)
            self._report("kube-controller-manager is up")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def tls(self) -> ssl.SSLContext:
        """Return a context with the administrator's certificate."""
        context = ssl.create_default_context(cafile=str(self._authority.certificate))
        context.load_cert_chain(*self._admin)
        return context

    def _api_server(self) -> Process:
        certificate, key = self._authority.server(
            "kube-apiserver", [self._host, "127.0.0.1", SERVICE_ADDRESS], ["localhost", "kubernetes", "kubernetes.default.svc"]
        )
        private, public = self._keys
        folder = self._folder / "kube-apiserver"
        return Process(
            "kube-apiserver",
            [
                self._programs["kube-apiserver"],
                f"--etcd-servers=http://{self._host}:{self._etcd_port}",
                f"--bind-address={self._host}",
                f"--advertise-address={self._host}",
                f"--secure-port={self._api_port}",
                f"--cert-dir={folder}",
                f"--tls-cert-file={certificate}",
                f"--tls-private-key-file={key}",
                f"--client-ca-file={self._authority.certificate}",
                f"--service-cluster-ip-range={_SERVICE_RANGE}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={public}",
                f"--service-account-signing-key-file={private}",
                *self._for_nodes(),
            ],
            log=folder / "kube-apiserver.log",
            # With the administrator's certificate: until RBAC has been set up an anonymous probe is forbidden.
            ready=http_ok(f"{self.server}/readyz", context=self.tls()),
            ready_seconds=READY_SECONDS,
            report=self._report,
        )

    def _for_nodes(self) -> list[str]:
        if not self._with_nodes:
            # The "kubernetes" Service would be given a loopback address as endpoint, which the API refuses.
            return ["--authorization-mode=RBAC", "--endpoint-reconciler-type=none"]
        certificate, key = self._admin
        return [
            "--authorization-mode=Node,RBAC",
            "--allow-privileged",
            # For logs, `exec` and the proxy to pods; the node has no name that resolves.
            f"--kubelet-client-certificate={certificate}",
            f"--kubelet-client-key={key}",
            "--kubelet-preferred-address-types=InternalIP",
        ]

    def _controller_manager(self) -> Process:
        folder = self._folder / "kube-controller-manager"
        return Process(
            "kube-controller-manager",
            [
                self._programs["kube-controller-manager"],
                f"--kubeconfig={self.kubeconfig}",
                f"--authentication-kubeconfig={self.kubeconfig}",
                f"--authorization-kubeconfig={self.kubeconfig}",
                f"--bind-address={self._host}",
                f"--secure-port={self._controllers_port}",
                f"--cert-dir={folder}",
                f"--service-account-private-key-file={self._keys[0]}",
                f"--root-ca-file={self._authority.certificate}",
                f"--controllers={'*' if self._with_nodes else ','.join(_CONTROLLERS)}",
                "--leader-elect=false",
            ],
            log=folder / "kube-controller-manager.log",
            ready=http_ok(f"https://{self._host}:{self._controllers_port}/healthz", context=_unverified()),
            ready_seconds=READY_SECONDS,
            report=self._report,
        )


def _unverified() -> ssl.SSLContext:
    # The controller manager makes its own certificate; the answer to /healthz carries no secret.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
