"""A fleet: the pods of one application with their sidecars, the ConfigMap that carries their flags, and their rights."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from kubernetes import client

from . import chart
from .control_plane import Access
from .loopback import LoopbackNetwork
from .pod import PodAddress, create_pod, delete_pod, set_status
from .progress import Report, silent
from .service_account import create_service_account
from .sidecar import ADMIN_PORT, EmbeddingApplication, Sidecar, SidecarInputs

SERVICE_ACCOUNT: Final = "sidecar"


class SidecarPod:
    """A Pod object and the sidecar process behind its address. What a kubelet would report of it is reported here."""

    def __init__(self, api: client.ApiClient, pod: PodAddress, sidecar: Sidecar) -> None:
        self._api = api
        self.pod = pod
        self.sidecar = sidecar
        self.restarts = 0

    @property
    def name(self) -> str:
        """The pod's name."""
        return self.pod.name

    def start(self) -> None:
        """Start the sidecar, wait until it is ready, and mark the pod so."""
        self.sidecar.start()
        set_status(self._api, self.pod, ready=True, restarts=self.restarts)

    def crash(self) -> None:
        """Kill the sidecar without warning; the pod stays and is not ready."""
        self.sidecar.kill()
        set_status(self._api, self.pod, ready=False, restarts=self.restarts)

    def restart(self) -> None:
        """Start the sidecar again after a crash, as the kubelet restarts a container."""
        self.restarts += 1
        self.start()

    def remove(self) -> None:
        """Delete the pod and end the sidecar."""
        delete_pod(self._api, self.pod)
        self.sidecar.stop()


class Fleet:
    """Pods `NAME-0` to `NAME-N` labelled `app: NAME`, following the ConfigMap `NAME-flags`. A context manager."""

    def __init__(
        self,
        name: str,
        *,
        namespace: str,
        replicas: int,
        embedding: int = 0,
        api: client.ApiClient,
        access: Access,
        network: LoopbackNetwork,
        folder: Path,
        policies: Path,
        opa_url: str,
        redis_url: str,
        overrides: Mapping[str, dict[str, Any]] | None = None,
        report: Report = silent,
    ) -> None:
        """Take the namespace, which must exist, and the servers the sidecars talk to.

        `embedding` of the replicas have no sidecar: their application decides itself.
        """
        self.name = name
        self.namespace = namespace
        self.labels = {"app": name}
        self.config_map = f"{name}-flags"
        self.pods: list[SidecarPod] = []
        self.kubeconfig = folder / f"{namespace}-{self.account}.kubeconfig"
        self._replicas = replicas
        self._embedding = embedding
        self._api = api
        self._access = access
        self._network = network
        self._folder = folder
        self._report = report
        self._made = 0
        self._inputs = SidecarInputs(
            policies=policies,
            opa_url=opa_url,
            redis_url=redis_url,
            namespace=namespace,
            config_map=self.config_map,
            kubeconfig=self.kubeconfig,
            overrides=dict(overrides or {}),
        )

    @property
    def data_urls(self) -> Sequence[str]:
        """Where the application asks for decisions: one URL for each pod."""
        return [pod.sidecar.data_url for pod in self.pods]

    @property
    def account(self) -> str:
        """The service account of the fleet's sidecars."""
        return f"{self.name}-{SERVICE_ACCOUNT}"

    def add_pod(self) -> SidecarPod:
        """Create one more pod and return it when its sidecar is ready."""
        member = self._create_pod()
        self._start(member)
        return member

    def inject(self, *, latency_ms: float = 0, error_percent: float = 0) -> None:
        """Inject faults into the rust arm of every sidecar; zeros end it."""
        for pod in self.pods:
            pod.sidecar.inject(latency_ms=latency_ms, error_percent=error_percent)

    def __enter__(self) -> Self:
        self._prepare()
        members = [self._create_pod() for _ in range(self._replicas)]
        # All at once, as the pods of a Deployment start. When one fails, closing ends the others, and with them the waits.
        with ThreadPoolExecutor(max(1, len(members))) as pool, contextlib.ExitStack() as stack:
            stack.callback(self.close)
            for started in [pool.submit(self._start, member) for member in members]:
                started.result()
            stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End every sidecar, all at the same time. The objects stay: they go with the namespace or the cluster."""
        for pod in self.pods:
            pod.sidecar.send(signal.SIGTERM)
        for pod in self.pods:
            pod.sidecar.stop()

    def _create_pod(self) -> SidecarPod:
        name = f"{self.name}-{self._made}"
        self._made += 1
        pod = PodAddress(self.namespace, name, self._network.pod())
        # The last ones, so that a fleet's first pods are what they always are.
        kind = EmbeddingApplication if self._replicas - self._embedding < self._made <= self._replicas else Sidecar
        sidecar = kind(name, address=pod.ip, inputs=self._inputs, folder=self._folder / name, report=self._report)
        create_pod(self._api, pod, labels=self.labels, metrics_port=ADMIN_PORT, service_account=self.account)
        member = SidecarPod(self._api, pod, sidecar)
        self.pods.append(member)
        return member

    def _start(self, member: SidecarPod) -> None:
        member.start()
        self._report(f"sidecar {member.name} is ready at {member.pod.ip}")

    def _prepare(self) -> None:
        """Create what an administrator creates once: the empty ConfigMap, and the right to read that one alone."""
        metadata = client.V1ObjectMeta(name=self.config_map)
        client.CoreV1Api(self._api).create_namespaced_config_map(self.namespace, client.V1ConfigMap(metadata=metadata))
        create_service_account(
            self._api,
            self._access,
            namespace=self.namespace,
            name=self.account,
            folder=self._folder,
            rules=chart.rules("sidecar-rules", flags=self.config_map),
        )
